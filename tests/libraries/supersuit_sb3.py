"""SuperSuit: a PettingZoo game as a vector environment for Stable-Baselines3, in this process and in others."""

import warnings

import supersuit
from stable_baselines3 import PPO

from pufferc.interop.pettingzoo import parallel_env

warnings.simplefilter("ignore")

if __name__ == "__main__":
    for processes in (1, 2):
        env = supersuit.black_death_v3(parallel_env("snake", width=20, height=12, snakes=4, food=20, max_steps=60))
        rows = supersuit.pettingzoo_env_to_vec_env_v1(env)
        envs = supersuit.concat_vec_envs_v1(rows, 2, num_cpus=processes, base_class="stable_baselines3")
        model = PPO("MlpPolicy", envs, n_steps=32, device="cpu").learn(512)
        assert model.num_timesteps == 512
        envs.close()
    stacked = supersuit.frame_stack_v1(parallel_env("snake", width=20, height=12, snakes=4, food=20), 4)
    assert next(iter(stacked.reset()[0].values())).shape[-1] == 4
