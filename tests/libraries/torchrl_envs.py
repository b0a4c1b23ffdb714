"""TorchRL: environments by id, around single and vector environments, in processes, and collectors."""

import copy
import warnings

import gymnasium as gym
import numpy as np
import torch

warnings.simplefilter("ignore")  # of TorchRL's own imports

from torchrl.collectors import Collector, MultiSyncCollector  # noqa: E402
from torchrl.envs import GymEnv, GymWrapper, ParallelEnv, SerialEnv, check_env_specs  # noqa: E402

import pufferc  # noqa: E402, F401  (registers the ids)

CARTPOLE = "pufferc/CartPole-v1"


def play(env) -> None:
    check_env_specs(env)
    assert env.rollout(200, break_when_any_done=False)["next", "done"].any()
    env.close()


def collect(collector) -> None:
    assert sum(batch.numel() for batch in collector) == 128
    collector.shutdown()


def check_final_observations() -> None:
    """With same-step autoreset the data of an ended row are its last observation, not the first of the next episode."""
    wrapped = gym.make_vec(CARTPOLE, 4)
    env = GymWrapper(wrapped)
    actions = torch.randint(2, (80, 4), generator=torch.Generator().manual_seed(1))
    state, ends = env.reset(), 0
    pool = copy.deepcopy(wrapped)
    for action in actions:
        space = env.full_action_spec["action"]
        stepped, state = env.step_and_maybe_reset(state.set("action", space.encode(action.numpy())))
        observations, rewards, *_, infos = pool.step(action)
        expected = observations.copy()
        if infos:
            rows = infos["_final_obs"]
            expected[rows] = infos["final_obs"][rows]
            ends += rows.sum()
            if rows.all():
                break  # TorchRL resets again if all rows end in the same step
        np.testing.assert_array_equal(stepped["next", "observation"], expected)
        np.testing.assert_array_equal(stepped["next", "reward"][:, 0], rewards)
        np.testing.assert_array_equal(state["observation"], observations)
    assert ends > 4


if __name__ == "__main__":
    frames = GymEnv("pufferc/Breakout-v1").unwrapped._vector.params["frames_per_step"]
    assert frames == 4, "TorchRL passes frameskip=1 on its own"
    play(GymEnv(CARTPOLE))
    play(GymEnv("pufferc/CartPoleContinuous-v1"))
    play(GymEnv(CARTPOLE, num_envs=3))
    play(GymEnv(CARTPOLE, frame_skip=2))
    play(GymWrapper(gym.make(CARTPOLE)))
    play(GymWrapper(gym.make_vec(CARTPOLE, 4)))
    play(GymWrapper(gym.make_vec(CARTPOLE, 4, autoreset="disabled")))
    play(SerialEnv(2, lambda: GymEnv(CARTPOLE)))
    play(ParallelEnv(2, lambda: GymEnv(CARTPOLE)))
    check_final_observations()
    collect(Collector(lambda: GymEnv(CARTPOLE), None, frames_per_batch=64, total_frames=128))
    collect(Collector(GymWrapper(gym.make_vec(CARTPOLE, 4)), None, frames_per_batch=64, total_frames=128))
    collect(MultiSyncCollector([lambda: GymEnv(CARTPOLE)] * 2, None, frames_per_batch=64, total_frames=128))
