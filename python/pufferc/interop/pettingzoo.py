"""See `pufferc.envs.pettingzoo`."""

from pufferc.envs.pettingzoo import ParallelEnv, parallel_env

__all__ = ["ParallelEnv", "parallel_env"]
