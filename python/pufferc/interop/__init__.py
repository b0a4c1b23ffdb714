"""Adapters for other libraries: `sb3` for Stable-Baselines3, `pettingzoo` for PettingZoo's two APIs.

Each module needs its library, which pufferc[sb3] and pufferc[pettingzoo] bring; importing it without is an ImportError
that says so. Code written for `gymnasium.vector` needs no adapter: a VecEnv is one.
"""
