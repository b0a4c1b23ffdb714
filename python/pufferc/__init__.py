"""pufferc: steps thousands of small games together, and trains policies on them.

    import pufferc

    envs = pufferc.make("breakout", num_envs=4096)
    observations, infos = envs.reset(seed=1)
    observations, rewards, terminated, truncated, infos = envs.step(envs.action_space.sample())

`make` returns a `gymnasium.vector.VectorEnv`. Importing this package registers every game with Gymnasium as
pufferc/Title-vN. `train` and `evaluate` (they need pufferc[train]) do what the commands `pufferc train` and `eval` do.
Kernels for training are in `pufferc.ops`.
"""

from pufferc import ops
from pufferc._core import __version__
from pufferc.api import evaluate, train
from pufferc.envs.games import EnvInfo, env_info, list_envs, register_gymnasium
from pufferc.envs.vector import VecEnv, make

__all__ = ["EnvInfo", "VecEnv", "__version__", "env_info", "evaluate", "list_envs", "make", "ops", "train"]

register_gymnasium()
