"""PPO in one file for any `gymnasium.vector` environment with same-step autoreset, from Gymnasium or pufferc.

    python ppo_single_file.py --env pufferc:pufferc/CartPole-v1
    python ppo_single_file.py --env CartPole-v1

The file does not import pufferc, so you can read and change every line. It has discrete actions, separate networks for
policy and value, and Adam. For speed use `pufferc train`.

Shapes: T steps of a rollout, N environments, O observation size. Row t of a rollout holds the observation before step
t, the action, and its results.
"""

from __future__ import annotations

import argparse
import time
from collections import deque
from dataclasses import dataclass

import gymnasium as gym
import numpy as np
import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Config:
    env: str = "pufferc:pufferc/CartPole-v1"  # id in Gymnasium, with the module that registers it before the colon
    num_envs: int = 16
    total_steps: int = 100_000
    horizon: int = 64
    epochs: int = 4
    minibatches: int = 4
    learning_rate: float = 2.5e-3
    gamma: float = 0.98
    gae_lambda: float = 0.95
    clip: float = 0.2
    entropy_coef: float = 0.01
    value_coef: float = 0.5
    max_grad_norm: float = 0.5
    seed: int = 1


def make_envs(config: Config) -> gym.vector.VectorEnv:
    """Makes the environments. If an id does not support same-step autoreset, Gymnasium's SyncVectorEnv adds it."""
    envs, mode = gym.make_vec(config.env, num_envs=config.num_envs), gym.vector.AutoresetMode.SAME_STEP
    if envs.metadata["autoreset_mode"] is not mode:
        envs.close()
        options = {"autoreset_mode": mode}
        envs = gym.make_vec(config.env, config.num_envs, vectorization_mode="sync", vector_kwargs=options)
    if not isinstance(envs.single_action_space, gym.spaces.Discrete):
        raise SystemExit(f"this script supports Discrete actions only; {config.env} has {envs.single_action_space}")
    return envs


class Agent(nn.Module):
    def __init__(self, envs: gym.vector.VectorEnv) -> None:
        super().__init__()
        size, choices = int(np.prod(envs.single_observation_space.shape)), int(envs.single_action_space.n)
        self.actor = self.network(size, choices, 0.01)
        self.critic = self.network(size, 1, 1.0)

    @staticmethod
    def network(size: int, outputs: int, gain: float) -> nn.Sequential:
        layers = [nn.Linear(size, 64), nn.Linear(64, 64), nn.Linear(64, outputs)]
        for layer, scale in zip(layers, (2**0.5, 2**0.5, gain), strict=True):
            nn.init.orthogonal_(layer.weight, scale)
            nn.init.zeros_(layer.bias)
        return nn.Sequential(nn.Flatten(), layers[0], nn.Tanh(), layers[1], nn.Tanh(), layers[2])

    def policy(self, observations: Tensor) -> torch.distributions.Categorical:
        return torch.distributions.Categorical(logits=self.actor(observations))

    def value(self, observations: Tensor) -> Tensor:
        """Estimates [B] for observations [B, O...]."""
        return self.critic(observations).squeeze(-1)


class Rollout:
    """T steps of N environments. `bootstrap` is the value of the final observation where an episode was truncated."""

    def __init__(self, config: Config, shape: tuple[int, ...]) -> None:
        steps = (config.horizon, config.num_envs)
        self.observations = torch.zeros(*steps, *shape)
        self.actions = torch.zeros(steps, dtype=torch.int64)
        self.log_probs, self.values, self.rewards, self.bootstrap, self.ended = (torch.zeros(steps) for _ in range(5))


def as_tensor(observations: np.ndarray) -> Tensor:
    return torch.tensor(observations, dtype=torch.float32)  # a copy: vector environments may reuse their arrays


@torch.no_grad()
def collect(
    envs: gym.vector.VectorEnv, agent: Agent, rollout: Rollout, now: Tensor, scores: deque, sums: Tensor
) -> Tensor:
    """Fills the rollout from observations `now` [N, O...]; returns the next ones. `sums` [N] holds running returns."""
    for t in range(len(rollout.actions)):
        policy = agent.policy(now)
        action = policy.sample()
        rollout.observations[t], rollout.actions[t] = now, action
        rollout.log_probs[t], rollout.values[t] = policy.log_prob(action), agent.value(now)
        observations, rewards, terminated, truncated, infos = envs.step(action.numpy())
        ended = terminated | truncated
        rollout.rewards[t], rollout.ended[t] = as_tensor(rewards), as_tensor(ended)
        rollout.bootstrap[t] = 0
        if truncated.any():  # a time limit is not a terminal state, so the value of the last observation counts
            last = as_tensor(np.stack(list(infos["final_obs"][truncated])))
            rollout.bootstrap[t, torch.from_numpy(truncated.copy())] = agent.value(last)
        sums += rollout.rewards[t]
        scores.extend(sums[ended].tolist())
        sums[ended] = 0
        now = as_tensor(observations)
    return now


@torch.no_grad()
def advantages(config: Config, agent: Agent, rollout: Rollout, after: Tensor) -> Tensor:
    """Generalised advantage estimates [T, N] (Schulman et al. 2016)."""
    found, running, next_value = torch.zeros_like(rollout.rewards), 0.0, agent.value(after)
    for t in reversed(range(config.horizon)):
        alive = 1 - rollout.ended[t]
        future = alive * next_value + rollout.bootstrap[t]
        delta = rollout.rewards[t] + config.gamma * future - rollout.values[t]
        found[t] = running = delta + config.gamma * config.gae_lambda * alive * running
        next_value = rollout.values[t]
    return found


def loss(config: Config, agent: Agent, rollout: Rollout, found: Tensor, rows: Tensor) -> Tensor:
    """The PPO loss over some rows of the flattened rollout."""
    observations = rollout.observations.flatten(0, 1)[rows]
    advantage, values = found.flatten()[rows], agent.value(observations)
    policy = agent.policy(observations)
    ratio = (policy.log_prob(rollout.actions.flatten()[rows]) - rollout.log_probs.flatten()[rows]).exp()
    returns = advantage + rollout.values.flatten()[rows]
    advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
    gain = torch.min(ratio * advantage, ratio.clamp(1 - config.clip, 1 + config.clip) * advantage).mean()
    error = 0.5 * (values - returns).square().mean()
    return -gain + config.value_coef * error - config.entropy_coef * policy.entropy().mean()


def train(config: Config) -> float:
    """Trains, prints progress every ten updates, and returns the mean return of the last 100 episodes."""
    torch.manual_seed(config.seed)
    envs = make_envs(config)
    agent = Agent(envs)
    optimizer = torch.optim.Adam(agent.parameters(), config.learning_rate, eps=1e-5)
    rollout = Rollout(config, envs.single_observation_space.shape)
    now, scores, sums = as_tensor(envs.reset(seed=config.seed)[0]), deque(maxlen=100), torch.zeros(config.num_envs)
    batch, start = config.horizon * config.num_envs, time.perf_counter()
    updates = max(1, config.total_steps // batch)
    for update in range(1, updates + 1):
        optimizer.param_groups[0]["lr"] = config.learning_rate * (1 - (update - 1) / updates)
        now = collect(envs, agent, rollout, now, scores, sums)
        found = advantages(config, agent, rollout, now)
        for _ in range(config.epochs):
            for rows in torch.randperm(batch).chunk(config.minibatches):
                optimizer.zero_grad()
                loss(config, agent, rollout, found, rows).backward()
                nn.utils.clip_grad_norm_(agent.parameters(), config.max_grad_norm)
                optimizer.step()
        if update % 10 == 0 or update == updates:
            speed = update * batch / (time.perf_counter() - start)
            print(f"{update * batch:>9} steps  mean return {np.mean(scores or [np.nan]):.1f}  {speed:.0f} steps/s")
    envs.close()
    return float(np.mean(scores))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    for name, default in vars(Config()).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(default), default=default)
    train(Config(**vars(parser.parse_args())))


if __name__ == "__main__":
    main()
