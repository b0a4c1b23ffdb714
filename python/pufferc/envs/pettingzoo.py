"""One game with all its agents in PettingZoo's APIs: the parallel one, and AEC for games in which agents take turns.

    from pufferc.interop.pettingzoo import parallel_env

    env = parallel_env("snake", width=40, height=24, snakes=8, food=40)
    observations, infos = env.reset(seed=1)
    while env.agents:
        actions = {agent: env.action_space(agent).sample() for agent in env.agents}
        observations, rewards, terminations, truncations, infos = env.step(actions)

In PettingZoo an agent whose episode has ended returns only after the next reset, so every agent has one life here: a
snake that dies leaves the board, the others continue, and the game is over when all have ended. To train on games whose
agents respawn one by one, use `pufferc.make`. Returned arrays are copies.

In a masked game an observation is a dictionary, as in PettingZoo's games: "observation", and "action_mask" int8 [K], 1
where a choice is legal in the next action. K = all choices of an action's dimensions, side by side;
`pufferc.envs.spaces.sample_mask` splits it for a MultiDiscrete space. With one dimension:

    action = env.action_space(agent).sample(observations[agent]["action_mask"])

In a game of turns every agent but one has a single choice. `aec_env` shows only the agent that decides; the others make
their single choice on their own:

    env = aec_env("connect4")
    env.reset(seed=1)
    for agent in env.agent_iter():
        observation, reward, terminated, truncated, info = env.last()
        over = terminated or truncated
        env.step(None if over else env.action_space(agent).sample(observation["action_mask"]))
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import check_keywords, find_game
from pufferc.envs.spaces import choice_counts
from pufferc.envs.vector import VecEnv

try:
    import pettingzoo
except ImportError as error:
    raise ImportError(
        "pufferc.interop.pettingzoo needs PettingZoo; install it with: pip install 'pufferc[pettingzoo]'",
        name=error.name,
    ) from error

__all__ = ["AecEnv", "ParallelEnv", "aec_env", "parallel_env"]

Observations = dict[str, Any]  # of each agent an array, or the dictionary of a masked game
Infos = dict[str, dict[str, Any]]
Step = tuple[Observations, dict[str, float], dict[str, bool], dict[str, bool], Infos]


def parallel_env(name: str, *, render_mode: str | None = None, seed: int | None = None, **params: Any) -> ParallelEnv:
    """One game of `name`; see `ParallelEnv`."""
    return ParallelEnv(name, render_mode=render_mode, seed=seed, **params)


def aec_env(name: str, *, render_mode: str | None = None, seed: int | None = None, **params: Any) -> AecEnv:
    """One game of `name`, in which agents take turns; see `AecEnv`."""
    return AecEnv(name, render_mode=render_mode, seed=seed, **params)


class _NamedAgents:
    """A pool of one game whose rows are agents with names; what both APIs have.

    Attributes:
        observation_spaces, action_spaces: The space of each agent, by its name.
    """

    def __init__(
        self,
        name: str,
        *,
        render_mode: str | None = None,
        seed: int | None = None,
        data: str | os.PathLike[str] | None = None,
        **params: Any,
    ) -> None:
        if render_mode is not None:
            errors.choice("render_mode", render_mode, ["human", "rgb_array"])
        check_keywords(type(self).__name__, find_game(name)[0], params, ("render_mode", "seed", "data"))
        self._pool = VecEnv(
            name,
            num_games=1,
            num_threads=1,
            seed=seed,
            copy=True,
            autoreset="disabled",
            render_mode=render_mode,
            data=data,
            params=params,
        )
        self.render_mode = render_mode
        self.metadata = {
            "name": f"pufferc_{self._pool.name}_v{self._pool.version}",
            "render_modes": ["human", "rgb_array"],
            "render_fps": self._pool.metadata["render_fps"],
        }
        self.possible_agents = [f"{self._pool.name}_{i}" for i in range(self._pool.agents)]
        self.agents: list[str] = []
        self._row = {agent: row for row, agent in enumerate(self.possible_agents)}
        # One space per agent, because each has its own random stream.
        space: gym.Space[Any] = self._pool.single_observation_space
        if self._pool.action_mask is not None:
            choices = sum(choice_counts(self._pool.single_action_space))
            space = gym.spaces.Dict({"observation": space, "action_mask": gym.spaces.Box(0, 1, (choices,), np.int8)})
        self.observation_spaces = {agent: _copy(space) for agent in self._row}
        self.action_spaces = {agent: _copy(self._pool.single_action_space) for agent in self._row}
        self._idle = np.zeros_like(np.asarray(self._pool.action_space.sample()))  # for ended agents

    def observation_space(self, agent: str) -> gym.Space[Any]:
        """Observation space of an agent; always the same object for one agent."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> gym.Space[Any]:
        """Action space of an agent; always the same object for one agent."""
        return self.action_spaces[agent]

    def _action_value(self, agent: str, action: Any) -> NDArray[Any]:
        """An agent's action as an array. ValueError if its shape or type is wrong."""
        value = np.asarray(action)
        if value.shape != self._idle.shape[1:] or (self._idle.dtype.kind == "i") != (value.dtype.kind in "iu"):
            raise ValueError(f"the action of {agent} must be in {self.action_spaces[agent]}, got {action!r}")
        return value

    def _metrics(self, agent: str, ended: Mapping[str, Any]) -> dict[str, Any]:
        """The info of an agent that ended, from the infos of the pool's step."""
        stats, row = ended["final_info"]["episode"], self._row[agent]
        return {"metrics": {key: stats[key][row].item() for key in stats if not key.startswith("_")}}

    def render(self) -> NDArray[np.uint8] | None:
        """The game as a picture uint8 [H, W, 3], or None: a window shows it. Needs a render_mode."""
        picture: NDArray[np.uint8] | None = self._pool.render()
        return picture

    def close(self) -> None:
        """End the game. Stepping after it raises RuntimeError."""
        self._pool.close()


class ParallelEnv(_NamedAgents, pettingzoo.ParallelEnv):  # type: ignore[misc]
    """One game whose agents act at the same time, each for one life.

    Agents are called NAME_0, NAME_1, ... in the order of the pool's rows. The info of an agent that ended holds
    "metrics": its return "r", length "l" and the game's metrics.

    Args:
        name: One of `pufferc.list_envs()`; games of one agent are accepted too.
        render_mode: None, "rgb_array" (render returns a picture uint8 [H, W, 3]) or "human" (a window).
        seed: Seed of the first reset if that has no argument; None draws one.
        data: Path of the file that the game reads, see `pufferc.make`.
        **params: Parameters of the game, see `pufferc.env_info(name).params`.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.metadata["is_parallelizable"] = True

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observations, Infos]:
        """Start a new game with all agents; the same seed gives the same game. `options` is ignored."""
        observations, infos = self._pool.reset(seed=seed)
        self.agents = list(self.possible_agents)
        return self._observed(observations, infos), {agent: {} for agent in self.agents}

    def step(self, actions: Mapping[str, Any]) -> Step:
        """Step every agent in `agents`. Results are for these agents; those that ended are removed from `agents`.

        Raises:
            ValueError: An agent has no action, an agent that has ended has one, or an action is out of range.
        """
        live = self.agents
        if not live:
            return {}, {}, {}, {}, {}
        observations, rewards, terminated, truncated, ended = self._pool.step(self._gather(actions))
        infos: Infos = {agent: {} for agent in live}
        self.agents = [agent for agent in live if not (terminated[self._row[agent]] or truncated[self._row[agent]])]
        for agent in set(live).difference(self.agents):
            infos[agent] = self._metrics(agent, ended)
        return (
            self._observed(observations, ended, live),
            {agent: float(rewards[self._row[agent]]) for agent in live},
            {agent: bool(terminated[self._row[agent]]) for agent in live},
            {agent: bool(truncated[self._row[agent]]) for agent in live},
            infos,
        )

    def _observed(self, observations: NDArray[Any], infos: dict[str, Any], live: Sequence[str] = ()) -> Observations:
        """The observation of each of `live`, or of all agents, from the pool's observations [N, O...] and infos."""
        seen: Observations = {agent: observations[self._row[agent]] for agent in live or self._row}
        if "action_mask" not in infos:
            return seen
        masks = infos["action_mask"].view(np.int8)
        return {
            agent: {"observation": observation, "action_mask": masks[self._row[agent]]}
            for agent, observation in seen.items()
        }

    def _gather(self, actions: Mapping[str, Any]) -> NDArray[Any]:
        """Actions of all rows [N] or [N, dims] from those of the agents."""
        if actions.keys() != set(self.agents):
            missing = [agent for agent in self.agents if agent not in actions]
            surplus = [agent for agent in actions if agent not in self.agents]
            raise ValueError(
                f"actions must have one entry for each agent in agents; missing: {missing}, not in play: {surplus}"
            )
        gathered: NDArray[Any] = self._idle.copy()
        for agent, action in actions.items():
            gathered[self._row[agent]] = self._action_value(agent, action)
        return gathered


class AecEnv(_NamedAgents, pettingzoo.AECEnv):  # type: ignore[misc]
    """One game whose agents take turns, each for one life.

    `agent_selection` is the agent that decides. The masks of the others are zero. Steps of the game in which nobody has
    a choice are part of the step before them. Arguments, names of agents and infos are those of `ParallelEnv`.

    Raises:
        ValueError: The agents of this game act at the same time.
    """

    def __init__(self, name: str, **options: Any) -> None:
        super().__init__(name, **options)
        self.metadata["is_parallelizable"] = False
        if self._pool.action_mask is None:
            raise ValueError(self._no_turns())

    def _no_turns(self) -> str:
        return (
            f"{self._pool.name} has no turns, its agents act at the same time; use parallel_env, and "
            "pettingzoo.utils.parallel_to_aec for this interface"
        )

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a new game with all agents; the same seed gives the same game. `options` is ignored."""
        self._observations, infos = self._pool.reset(seed=seed)
        self._masks = infos["action_mask"]
        self.agents = list(self.possible_agents)
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: Infos = {agent: {} for agent in self.agents}
        self._skip_agent_selection: str | None = None
        self._select()
        self._accumulate_rewards()

    def observe(self, agent: str) -> dict[str, NDArray[Any]]:
        """What an agent sees, and its legal choices, none if it has to wait."""
        row = self._row[agent]
        mask = self._masks[row].astype(np.int8) * self._decides(agent)
        return {"observation": self._observations[row], "action_mask": mask}

    def _decides(self, agent: str) -> bool:
        row, forced = self._row[agent], self._pool.forced
        return bool(self._pool.alive[row]) and forced is not None and not forced[row]

    def step(self, action: Any) -> None:
        """Make the choice of `agent_selection`; None removes an agent that has ended.

        Raises:
            ValueError: The choice is illegal or out of range, or an agent that has ended has one.
        """
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        value = self._action_value(agent, action)
        actions = self._only_choices()
        actions[self._row[agent]] = value
        self._advance(actions, agent)
        self._select()
        self._accumulate_rewards()
        self._deads_step_first()

    def _advance(self, actions: NDArray[Any], agent: str | None = None) -> None:
        """Steps the game. Rewards start at 0 with the action of an agent."""
        self._observations, rewards, terminated, truncated, ended = self._pool.step(actions)
        self._masks = ended["action_mask"]
        if agent is not None:
            self._cumulative_rewards[agent] = 0.0
            self._clear_rewards()
        for each in self.agents:
            row = self._row[each]
            self.rewards[each] += float(rewards[row])
            self.terminations[each], self.truncations[each] = bool(terminated[row]), bool(truncated[row])
            if (terminated[row] or truncated[row]) and not self.infos[each]:
                self.infos[each] = self._metrics(each, ended)

    def _select(self) -> None:
        """Makes `agent_selection` the agent that decides. Steps the game while nobody does."""
        while True:
            running = [agent for agent in self.agents if not (self.terminations[agent] or self.truncations[agent])]
            deciding = [agent for agent in running if self._decides(agent)]
            if len(deciding) > 1:
                raise ValueError(self._no_turns())
            if deciding or not running:
                self.agent_selection = (deciding or self.agents)[0]
                return
            self._advance(self._only_choices())

    def _only_choices(self) -> NDArray[Any]:
        """The first legal choice of every row in each dimension: the only one of those that wait."""
        counts = choice_counts(self._pool.single_action_space)
        parts = np.split(self._masks, np.cumsum(counts)[:-1], axis=1)
        return np.stack([part.argmax(axis=1) for part in parts], axis=-1).astype(np.int32).reshape(self._idle.shape)


def _copy(space: gym.Space[Any]) -> gym.Space[Any]:
    """A copy of a space, with its own random stream."""
    copied: gym.Space[Any] = deepcopy(space)
    return copied
