"""See `pufferc.envs.pettingzoo`."""

from pufferc.envs.pettingzoo import AecEnv, ParallelEnv, aec_env, parallel_env

__all__ = ["AecEnv", "ParallelEnv", "aec_env", "parallel_env"]
