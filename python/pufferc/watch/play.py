"""`pufferc play NAME`: play with the keyboard, alone or against a policy, or watch a policy and take over with a key.

In a game in which agents take turns the window waits for a key or a click when it is the person's turn, and the agents
that wait make their only choice.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.games import Game, KeyInfo, env_info
from pufferc.envs.spaces import choice_counts
from pufferc.envs.vector import VecEnv
from pufferc.pictures.window import KEYS, Seen, Viewer
from pufferc.watch.players import Agent, PlayerAgent, RandomAgent, choose
from pufferc.watch.pointer import Pointer

if TYPE_CHECKING:
    from pufferc.selfplay.players import Player

__all__ = ["Keyboard", "play"]

_END_S = 0.8  # how long the end of an episode is shown
_LAST_TURN_S = 3.0  # the same in a game of turns

_LEFT, _RIGHT, _UP, _DOWN = ("left", "a"), ("right", "d"), ("up", "w"), ("down", "s")


def _default_keys(space: gym.Space[Any]) -> tuple[KeyInfo, ...]:
    """Keys for a game that defines none: digits select choices; arrow keys move the first two continuous dimensions."""
    if isinstance(space, gym.spaces.Box):
        pushes = [(_LEFT, "control 0 down", 0, -1.0), (_RIGHT, "control 0 up", 0, 1.0)]
        if int(np.prod(space.shape)) > 1:
            pushes += [(_DOWN, "control 1 down", 1, -1.0), (_UP, "control 1 up", 1, 1.0)]
        return tuple(KeyInfo(keys, help, 0, 0, control, push) for keys, help, control, push in pushes)
    counts = choice_counts(space)
    which = "action 0, choice" if len(counts) > 1 else "action"
    return tuple(KeyInfo((str(n),), f"{which} {n}", 0, n, 0, 0.0) for n in range(min(10, counts[0])))


def _keys_of(envs: VecEnv) -> tuple[KeyInfo, ...]:
    """The game's keys for the actions that exist with these parameters, or default keys.

    Raises ValueError for an unknown key name.
    """
    info, space = envs.info, envs.single_action_space
    for key in info.keys:
        for word in key.keys:
            if word not in KEYS:
                raise ValueError(f"{info.name}: keys must be letters, digits or names such as left, got {word!r}")
    if isinstance(space, gym.spaces.Box):
        keys = [key for key in info.keys if key.push and key.control < int(np.prod(space.shape))]
    else:
        counts = choice_counts(space)
        keys = [key for key in info.keys if key.dim < len(counts) and key.choice < counts[key.dim]]
    return tuple(keys) or _default_keys(space)


class Keyboard:
    """Actions from the keyboard, by the game's keys or the default keys.

    Args:
        envs: The pool; the person plays one row of it.
        viewer: The window that reads the keys.
    """

    def __init__(self, envs: VecEnv, viewer: Viewer) -> None:
        self._envs, self._viewer = envs, viewer
        self._space = envs.single_action_space
        self._keys = _keys_of(envs)
        viewer.taken = {KEYS[word] for key in self._keys for word in key.keys}

    def hints(self) -> tuple[tuple[str, str], ...]:
        """(keys, effect), for the window's help."""
        return tuple((" ".join(key.keys), key.help) for key in self._keys)

    def active(self) -> bool:
        """Whether an action key is down or was pressed since the last step."""
        return any(self._counts(key) for key in self._keys)

    def _counts(self, key: KeyInfo) -> bool:
        return any(KEYS[name] in self._viewer.pressed or self._viewer.held(name) for name in key.keys)

    def action(self, latest: NDArray[Any]) -> NDArray[Any]:
        """The action of the displayed row, int32 [] or [D], or float32 [D]; `latest` is its previous action.

        An illegal choice is replaced by the choice without a key, or else by the first legal choice.
        """
        if isinstance(self._space, gym.spaces.Box):
            controls = np.zeros(self._space.shape, np.float32)
            for key in self._keys:
                controls[key.control] += key.push * self._counts(key)
            return controls
        counts = choice_counts(self._space)
        before = np.atleast_1d(latest)
        choices = [self._choices(dim, int(before[dim]), count) for dim, count in enumerate(counts)]
        legal = np.split(self._envs.action_masks()[self._viewer.env], np.cumsum(counts)[:-1])
        action = [
            next((choice for choice in wanted if allowed[choice]), int(allowed.argmax()))
            for wanted, allowed in zip(choices, legal, strict=True)
        ]
        return np.array(action[0] if isinstance(self._space, gym.spaces.Discrete) else action, np.int32)

    def wait_for_turn(self, seen: Seen, pointer: Pointer | None) -> NDArray[Any] | None:
        """The action of the next key or click with a legal choice; None if the window is closed or shows another row.

        The key must be pressed: one that is held down since an earlier turn does not count. Other dimensions make their
        first legal choice.
        """
        row, found = self._viewer.env, list[NDArray[Any]]()

        def decided() -> bool:
            action = self._pressed_action()
            if action is None and pointer is not None and self._viewer.clicked is not None:
                action = self._clicked_action(pointer, self._viewer.clicked)
            found.extend([] if action is None else [action])
            return bool(found) or self._viewer.env != row

        self._viewer.wait(decided, seen)
        return found[0] if found else None

    def _clicked_action(self, pointer: Pointer, click: tuple[float, float]) -> NDArray[Any] | None:
        """The action that a click means, if any. Removes the click."""
        self._viewer.clicked = None
        choice = pointer.choice(self._viewer.env, click)
        return None if choice is None else np.array(choice, np.int32)

    def _pressed_action(self) -> NDArray[Any] | None:
        """The action of the latest key press that is legal. Removes the key presses."""
        counts = choice_counts(self._space)
        legal = np.split(self._envs.action_masks()[self._viewer.env], np.cumsum(counts)[:-1])
        pressed = list(reversed(self._viewer.pressed))
        self._viewer.pressed.clear()
        for key in (key for number in pressed for key in self._keys if number in (KEYS[name] for name in key.keys)):
            if legal[key.dim][key.choice]:
                action = np.array([int(allowed.argmax()) for allowed in legal], np.int32)
                action[key.dim] = key.choice
                return np.array(action[0]) if isinstance(self._space, gym.spaces.Discrete) else action
            self._viewer.note(f"{key.help}: not allowed now")
        return None

    def _choices(self, dim: int, before: int, count: int) -> list[int]:
        """Choices in a dimension in order of preference; the last one is the choice without a key."""
        keys = [key for key in self._keys if key.dim == dim]
        if not keys:
            return [0]
        idle = self._envs.info.idle
        rest = before if idle == "keep" else 1 - min(before, 1) if idle == "alternate" else int(idle)
        for latest in reversed(self._viewer.pressed):
            for key in keys:
                if latest in (KEYS[name] for name in key.keys):
                    return [key.choice, min(rest, count - 1)]
        return [*(key.choice for key in keys if self._counts(key)), min(rest, count - 1)]


def play(
    game: Game,
    *,
    agent: Agent | None = None,
    opponent: Player | None = None,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
    seed: int | None = None,
    fps: float | None = None,
    steps: int | None = None,
    paused: bool = False,
) -> list[float]:
    """Play a game in a window until it is closed.

    Args:
        game: The game: a name or a path.
        agent: Plays while no key is down; None = only the person plays. In a game of several agents the person plays
            the displayed one, initially the first; `agent` plays the others, or they act at random. In a game of turns
            the person decides alone, unless there is also an opponent.
        opponent: Plays the agents of other teams, and without `agent` all but the displayed one.
        params: Parameters of the game. If only the person plays, frames_per_step defaults to 1 for a smooth picture.
        data: Path of the file that the game reads, see `pufferc.make`.
        seed: Seed of the game.
        fps: Steps per second; default: the game's fps.
        steps: End after this many steps; default: when the window is closed.
        paused: Start paused.

    Returns:
        The scores of the finished episodes that were shown.

    Raises:
        DrawingUnavailable: No window can be opened; the message says why.
    """
    chosen = dict(params or {})
    if agent is None and opponent is None and any(row.name == "frames_per_step" for row in env_info(game).params):
        chosen.setdefault("frames_per_step", 1)
    limit = None if steps is None else errors.integer("steps", steps, 1)
    envs = VecEnv(game, num_games=1, num_threads=1, seed=seed, autoreset="disabled", data=data, params=chosen)
    try:
        observations, _ = envs.reset()
        with Viewer(envs, fps=fps, paused=paused) as viewer:
            return _loop(envs, viewer, agent, opponent, observations, limit)
    finally:
        envs.close()


def _loop(
    envs: VecEnv,
    viewer: Viewer,
    agent: Agent | None,
    opponent: Player | None,
    observations: NDArray[Any],
    limit: int | None,
) -> list[float]:
    keyboard, scores, played = Keyboard(envs, viewer), [], 0
    others = PlayerAgent(opponent, envs) if opponent is not None else agent or RandomAgent(envs)
    waiting = _waiting_rows(envs)
    pointer = Pointer(envs) if waiting is not None and Pointer.fits(envs) else None
    helper = None if waiting is not None and opponent is None else agent  # plays for the person while no key is down
    actions = np.zeros(envs.action_space.shape or (envs.num_envs,), envs.single_action_space.dtype)
    viewer.hints = keyboard.hints()
    seen = Seen(observations=observations)
    while viewer.show(seen) and (limit is None or played < limit):
        row, before = viewer.env, actions
        wanted = None
        if waiting is not None and helper is None and not waiting[row]:
            viewer.player = "your turn"
            wanted = keyboard.wait_for_turn(seen, pointer)
            if wanted is None:  # the window was closed or shows another agent
                continue
        choice = choose(others, envs, observations)
        actions = np.array(choice.actions)
        if helper is not None and helper is not others:
            choice = choose(helper, envs, observations)
            own = _team_of(envs, row)
            actions[own] = choice.actions[own]
        taken = helper is None or keyboard.active()
        if taken:
            actions[row] = keyboard.action(before[row]) if wanted is None else wanted
        viewer.player = "" if agent is None and opponent is None else "you play" if taken else "policy"
        absent = ~envs.alive
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        played += 1
        seen = Seen(observations, actions, choice.values, rewards)
        ended = terminated | truncated
        for each in {id(player): player for player in (others, helper) if player is not None}.values():
            each.restart(ended | absent)
        if ended[row]:
            episode = infos["final_info"]["episode"]
            scores.append(float(episode.get("score", episode["r"])[row]))
            viewer.note("score " + f"{scores[-1]:.1f}".removesuffix(".0"))
        if ended.any():
            if ended.all():
                viewer.show(seen)
                viewer.linger(_END_S if waiting is None else _LAST_TURN_S, seen)
            observations, _ = envs.reset(options={"reset_mask": ended})
            seen = Seen(observations=observations)
    return scores


def _waiting_rows(envs: VecEnv) -> NDArray[np.bool_] | None:
    """A view of the rows [N] that wait for their turn; None if agents act at the same time.

    In a game of turns, all agents but one wait at the start.
    """
    turns = envs.forced is not None and envs.num_envs > 1 and int((~envs.forced).sum()) == 1
    return envs.forced if turns else None


def _team_of(envs: VecEnv, row: int) -> NDArray[np.intp]:
    """Numbers of the rows of the team of a row; only the row itself in a game without teams."""
    return np.array([row]) if envs.teams is None else np.flatnonzero(envs.teams == envs.teams[row])
