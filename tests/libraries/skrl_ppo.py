"""skrl: its wrapper around single, vector and PettingZoo environments, and PPO on a pool."""

import warnings

import gymnasium as gym
import torch
from skrl.agents.torch.ppo import PPO, PPO_CFG
from skrl.envs.wrappers.torch import wrap_env
from skrl.memories.torch import RandomMemory
from skrl.trainers.torch import SequentialTrainer
from skrl.utils.model_instantiators.torch import categorical_model, deterministic_model

from pufferc.interop.pettingzoo import parallel_env

warnings.simplefilter("ignore")
ROWS = 8


def step(raw: gym.Env | gym.vector.VectorEnv) -> None:
    env = wrap_env(raw)
    env.reset()
    for _ in range(60):
        observations, *_ = env.step(torch.zeros((env.num_envs, 1), dtype=torch.int64))
    assert observations.shape == (env.num_envs, 4)


def step_agents() -> None:
    env = wrap_env(parallel_env("snake", width=20, height=12, snakes=4, food=20, max_steps=40))
    observations, _ = env.reset()
    assert len(observations) == 4
    while env.agents:
        env.step({agent: torch.zeros((1, 1), dtype=torch.int64) for agent in env.agents})


def train() -> None:
    env = wrap_env(gym.make_vec("pufferc/CartPole-v1", ROWS))
    layers = [{"name": "net", "input": "OBSERVATIONS", "layers": [32], "activations": "tanh"}]
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space, "device": "cpu"}
    models = {
        "policy": categorical_model(**spaces, network=layers, output="ACTIONS"),
        "value": deterministic_model(**spaces, network=layers, output="ONE"),
    }
    config = PPO_CFG()
    config.rollouts = 16
    config.experiment.write_interval = config.experiment.checkpoint_interval = 0
    memory = RandomMemory(memory_size=16, num_envs=ROWS, device="cpu")
    agent = PPO(models=models, memory=memory, cfg=config, state_space=None, **spaces)
    SequentialTrainer(cfg={"timesteps": 64, "headless": True}, env=env, agents=agent).train()


if __name__ == "__main__":
    step(gym.make("pufferc/CartPole-v1"))
    step(gym.make_vec("pufferc/CartPole-v1", ROWS))
    step(gym.make_vec("pufferc/CartPole-v1", ROWS, autoreset="next_step"))
    step_agents()
    train()
