"""rl_games: PPO on a pool, with the class that docs/interoperability.md shows."""

import os
import runpy
import tempfile
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

from rl_games.torch_runner import Runner  # noqa: E402

PAGE = Path(__file__).resolve().parents[2] / "docs" / "interoperability.md"
NETWORK = {
    "name": "actor_critic",
    "separate": False,
    "space": {"discrete": None},
    "mlp": {
        "units": [32], "activation": "relu", "initializer": {"name": "default"}, "regularizer": {"name": "None"},
    },
}  # fmt: skip
TRAINING = {
    "name": "cartpole", "env_name": "pufferc", "env_config": {"name": "cartpole"},
    "reward_shaper": {"scale_value": 0.1},
    "device": "cpu", "device_name": "cpu", "multi_gpu": False, "ppo": True, "mixed_precision": False,
    "normalize_input": True, "normalize_advantage": True, "value_bootstrap": True, "gamma": 0.99, "tau": 0.95,
    "learning_rate": 1e-3, "lr_schedule": None, "kl_threshold": 0.01, "grad_norm": 1.0, "truncate_grads": True,
    "entropy_coef": 0.0, "critic_coef": 1, "clip_value": True, "e_clip": 0.2, "num_actors": 16, "horizon_length": 16,
    "minibatch_size": 128, "mini_epochs": 2, "max_epochs": 3, "max_frames": -1, "score_to_win": 1e9,
    "save_best_after": 100, "save_frequency": 0, "torch_compile": False,
}  # fmt: skip


def snippet() -> str:
    """The page's code for rl_games."""
    blocks = [block.split("```")[0] for block in PAGE.read_text().split("```python\n")[1:]]
    return next(block for block in blocks if "rl_games" in block)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)  # rl_games writes a folder `runs`
        file = Path(folder) / "snippet.py"
        file.write_text(snippet())
        runpy.run_path(str(file))
        runner = Runner()
        params = {"seed": 1, "algo": {"name": "a2c_discrete"}, "model": {"name": "discrete_a2c"}}
        runner.load({"params": {**params, "network": NETWORK, "config": TRAINING}})
        runner.run({"train": True, "play": False})
        assert runner.algo_factory is not None
        os.chdir("/")
