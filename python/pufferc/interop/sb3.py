"""See `pufferc.envs.sb3`."""

from pufferc.envs.sb3 import Sb3VecEnv, make_sb3

__all__ = ["Sb3VecEnv", "make_sb3"]
