"""RLlib: PPO by id, and through register_env in another process."""

import os
import warnings

os.environ["RAY_AUTH_MODE"] = "disabled"  # Ray writes a token into the home directory otherwise
warnings.simplefilter("ignore")

import gymnasium as gym  # noqa: E402
import ray  # noqa: E402
from ray.rllib.algorithms.ppo import PPOConfig  # noqa: E402
from ray.tune.registry import register_env  # noqa: E402

ID = "pufferc:pufferc/CartPole-v1"


def train(env: str, runners: int) -> None:
    config = (
        PPOConfig()
        .environment(env)
        .env_runners(num_env_runners=runners, num_envs_per_env_runner=2, rollout_fragment_length=64)
        .training(train_batch_size_per_learner=256, minibatch_size=64, num_epochs=1)
    )
    algorithm = config.build_algo()
    found = algorithm.train()["env_runners"]
    assert found["num_env_steps_sampled"] >= 256 and found["episode_return_mean"] > 5
    algorithm.stop()


if __name__ == "__main__":
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    register_env("cartpole", lambda options: gym.make(ID, **options))
    train(ID, 0)
    train("cartpole", 1)
    ray.shutdown()
