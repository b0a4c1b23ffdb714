"""Tianshou: single environments in its vector environments, and PPO."""

import warnings
from functools import partial

import gymnasium as gym
import numpy as np
import torch

warnings.simplefilter("ignore")  # of Tianshou's own imports

from tianshou.algorithm import PPO  # noqa: E402
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy  # noqa: E402
from tianshou.algorithm.optim import AdamOptimizerFactory  # noqa: E402
from tianshou.data import Collector, VectorReplayBuffer  # noqa: E402
from tianshou.env import DummyVectorEnv, SubprocVectorEnv  # noqa: E402
from tianshou.trainer import OnPolicyTrainerParams  # noqa: E402
from tianshou.utils.net.common import Net  # noqa: E402
from tianshou.utils.net.discrete import DiscreteActor, DiscreteCritic  # noqa: E402

make = partial(gym.make, "pufferc:pufferc/CartPole-v1")


def step(kind: type) -> None:
    envs = kind([make] * 3)
    envs.seed(1)
    observations, _ = envs.reset()
    assert observations.shape == (3, 4)
    for _ in range(40):
        _, _, terminated, truncated, _ = envs.step(np.array([space.sample() for space in envs.action_space]))
        if (rows := np.flatnonzero(terminated | truncated)).size:
            envs.reset(rows)
    envs.close()


def train() -> None:
    env = make()
    net = Net(state_shape=env.observation_space.shape, hidden_sizes=[32])
    actor = DiscreteActor(preprocess_net=net, action_shape=env.action_space.n, softmax_output=False)
    policy = ProbabilisticActorPolicy(
        actor=actor,
        dist_fn=lambda logits: torch.distributions.Categorical(logits=logits),
        action_space=env.action_space,
        action_scaling=False,
    )
    critic = DiscreteCritic(preprocess_net=net)
    algorithm = PPO(policy=policy, critic=critic, optim=AdamOptimizerFactory(lr=1e-3))
    collector = Collector(algorithm, DummyVectorEnv([make] * 4), VectorReplayBuffer(1000, 4))
    found = algorithm.run_training(
        OnPolicyTrainerParams(
            training_collector=collector, test_collector=None, test_step_num_episodes=0, max_epochs=1,
            epoch_num_steps=512, collection_step_num_env_steps=256, update_step_num_repetitions=1, batch_size=64,
            show_progress=False,
        )
    )  # fmt: skip
    assert found.train_step == 512


if __name__ == "__main__":
    step(DummyVectorEnv)
    step(SubprocVectorEnv)
    train()
