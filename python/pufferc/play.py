"""`pufferc play NAME`: a person plays with the keyboard, or watches a policy and takes over when they like."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from pufferc import _errors
from pufferc.agents import Agent, CheckpointAgent, RandomAgent
from pufferc.registration import Game, env_info
from pufferc.vector import VecEnv
from pufferc.viewer import HELP, KEYS, Seen, Viewer

__all__ = ["Keyboard", "main", "play"]

_END_S = 0.8  # for which the end of an episode stays in view


@dataclass(frozen=True)
class _Key:
    """Keys and what they do: a discrete `action`; in a continuous game they add `push` to control number `control`."""

    keys: tuple[str, ...]
    meaning: str
    action: int = 0
    control: int = 0
    push: float = 0.0


@dataclass(frozen=True)
class _Bindings:
    """How to play a game. `idle` is the action without a key: one, "keep" the last, "alternate" 0 and 1."""

    keys: tuple[_Key, ...]
    idle: int | str = 0


_LEFT, _RIGHT, _UP, _DOWN = ("left", "a"), ("right", "d"), ("up", "w"), ("down", "s")
_PADDLE = _Bindings((_Key(_LEFT, "left", 1, push=-1.0), _Key(_RIGHT, "right", 2, push=1.0)))
_BINDINGS = {
    "breakout": _PADDLE,
    "template": _PADDLE,
    "cartpole": _Bindings(
        (_Key(_LEFT, "push left", 0, push=-1.0), _Key(_RIGHT, "push right", 1, push=1.0)), "alternate"
    ),
    "lander": _Bindings(
        (
            _Key(_UP, "main engine", 2, push=1.0),
            _Key(_LEFT, "left engine", 1, control=1, push=-1.0),
            _Key(_RIGHT, "right engine", 3, control=1, push=1.0),
        )
    ),
    "pong": _Bindings((_Key(_UP, "up", 1, push=-1.0), _Key(_DOWN, "down", 2, push=1.0))),
    "snake": _Bindings(
        (_Key(_UP, "up", 0), _Key(_DOWN, "down", 1), _Key(_LEFT, "left", 2), _Key(_RIGHT, "right", 3)), "keep"
    ),
    "tmaze": _Bindings((_Key((*_UP, *_LEFT), "turn up", 0), _Key((*_DOWN, *_RIGHT), "turn down", 1)), "keep"),
    "squared": _Bindings(
        (_Key(_UP, "up", 2), _Key(_DOWN, "down", 1), _Key(_LEFT, "left", 3), _Key(_RIGHT, "right", 4))
    ),
}


def _own_bindings(space: gym.Space[Any]) -> _Bindings:
    """For a game that is not in the table: digits are actions; of controls the first two are on the arrow keys."""
    if isinstance(space, gym.spaces.Box):
        pushes = [_Key(_LEFT, "control 0 down", push=-1.0), _Key(_RIGHT, "control 0 up", push=1.0)]
        if int(np.prod(space.shape)) > 1:
            pushes += [_Key(_DOWN, "control 1 down", 0, 1, -1.0), _Key(_UP, "control 1 up", 0, 1, 1.0)]
        return _Bindings(tuple(pushes))
    count = int(space.nvec[0]) if isinstance(space, gym.spaces.MultiDiscrete) else int(getattr(space, "n", 0))
    which = "action 0, choice" if isinstance(space, gym.spaces.MultiDiscrete) else "action"
    return _Bindings(tuple(_Key((str(n),), f"{which} {n}", n) for n in range(min(10, count))))


class Keyboard:
    """The person's actions. A game that this module does not know takes the digit keys; a continuous one the arrows.

    Args:
        envs: The pool of whose rows the person plays one.
        viewer: The window whose keys count.
    """

    def __init__(self, envs: VecEnv, viewer: Viewer) -> None:
        self._viewer = viewer
        self._space = envs.single_action_space
        self._bindings = _BINDINGS.get(envs.name) or _own_bindings(self._space)

    def hints(self) -> tuple[tuple[str, str], ...]:
        """(keys, what they do), for the window's help."""
        return tuple((" ".join(key.keys), key.meaning) for key in self._bindings.keys)

    def active(self) -> bool:
        """Whether a key that means an action is down or was pressed since the last step."""
        return any(self._counts(key) for key in self._bindings.keys)

    def _counts(self, key: _Key) -> bool:
        return any(KEYS[name] in self._viewer.pressed or self._viewer.held(name) for name in key.keys)

    def action(self, latest: NDArray[Any]) -> NDArray[Any]:
        """The action of one row, int32 [] or [A], or float32 [A] in a continuous game; `latest` is its one before."""
        if isinstance(self._space, gym.spaces.Box):
            controls = np.zeros(self._space.shape, np.float32)
            for key in self._bindings.keys:
                controls[key.control] += key.push * self._counts(key)
            return controls
        choice = self._choose(int(np.atleast_1d(latest)[0]))
        if isinstance(self._space, gym.spaces.MultiDiscrete):
            return np.array([choice, *[0] * (len(self._space.nvec) - 1)], np.int32)
        return np.array(choice, np.int32)

    def _choose(self, before: int) -> int:
        for latest in reversed(self._viewer.pressed):
            for key in self._bindings.keys:
                if latest in (KEYS[name] for name in key.keys):
                    return key.action
        for key in self._bindings.keys:
            if self._counts(key):
                return key.action
        if self._bindings.idle == "keep":
            return before
        if self._bindings.idle == "alternate":
            return 1 - min(before, 1)
        return int(self._bindings.idle)


def play(
    game: Game,
    *,
    agent: Agent | None = None,
    params: Mapping[str, Any] | None = None,
    seed: int | None = None,
    fps: float | None = None,
    steps: int | None = None,
    paused: bool = False,
) -> list[float]:
    """Play a game in a window until it is closed.

    Args:
        game: The game: a name or a path.
        agent: Who plays while the person leaves the keys alone; None: the person alone. In a game of several agents the
            person plays the one shown, at first the first; the others are played by `agent`, or at random.
        params: Parameters of the game. Without an agent a game's frameskip is 1 unless given, for a smooth picture.
        seed: Of the game.
        fps: Steps per second; default: as the game is meant to look.
        steps: End after this many steps; default: when the window is closed.
        paused: Begin paused.

    Returns:
        The scores of the finished episodes that were shown.

    Raises:
        DrawingUnavailable: No window can be opened; the message says why.
    """
    chosen = dict(params or {})
    if agent is None and any(row.name == "frameskip" for row in env_info(game).params):
        chosen.setdefault("frameskip", 1)
    limit = None if steps is None else _errors.integer("steps", steps, 1)
    envs = VecEnv(game, num_games=1, num_threads=1, seed=seed, autoreset="disabled", params=chosen)
    try:
        observations, _ = envs.reset()
        with Viewer(envs, fps=fps, paused=paused) as viewer:
            return _loop(envs, viewer, agent, observations, limit)
    finally:
        envs.close()


def _loop(
    envs: VecEnv, viewer: Viewer, agent: Agent | None, observations: NDArray[Any], limit: int | None
) -> list[float]:
    keyboard, scores, played = Keyboard(envs, viewer), [], 0
    others = agent or RandomAgent(envs)
    actions = np.zeros(envs.action_space.shape or (envs.num_envs,), envs.single_action_space.dtype)
    viewer.hints = keyboard.hints()
    seen = Seen(observations=observations)
    while viewer.show(seen) and (limit is None or played < limit):
        row, before = viewer.env, actions
        choice = others.act(observations)
        actions = np.array(choice.actions)
        taken = agent is None or keyboard.active()
        if taken:
            actions[row] = keyboard.action(before[row])
        viewer.player = "" if agent is None else "you play" if taken else "policy"
        absent = ~envs.alive
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        played += 1
        seen = Seen(observations, actions, choice.values, rewards)
        ended = terminated | truncated
        others.restart(ended | absent)
        if ended[row]:
            episode = infos["final_info"]["episode"]
            scores.append(float(episode.get("score", episode["r"])[row]))
            viewer.note("score " + f"{scores[-1]:.1f}".removesuffix(".0"))
        if ended.any():
            if ended.all():
                viewer.show(seen)
                viewer.linger(_END_S, seen)
            observations, _ = envs.reset(options={"reset_mask": ended})
            seen = Seen(observations=observations)
    return scores


def main(words: Sequence[str]) -> int:
    """`pufferc play NAME [--checkpoint PATH] [--seed N] [--fps N] [--param NAME=VALUE ...]`."""
    parser = argparse.ArgumentParser(
        "pufferc play",
        description="Play a game with the arrow keys or wasd, or digits; with --checkpoint the policy plays, and you "
        "take over while you hold a key.",
        epilog="keys in the window:\n" + "\n".join(f"  {keys:<8}{meaning}" for keys, meaning in HELP),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("game", metavar="NAME", help="the game, or the path of its shared object")
    parser.add_argument("--checkpoint", help="latest, a run's directory or a checkpoint's")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that latest looks in")
    parser.add_argument("--greedy", action="store_true", help="the most probable action instead of a drawn one")
    parser.add_argument("--seed", type=int, help="of the game")
    parser.add_argument("--fps", type=float, help="steps per second")
    parser.add_argument("--param", action="append", default=[], metavar="NAME=VALUE", help="a parameter of the game")
    options = parser.parse_args(list(words))
    env_info(options.game)
    params = _errors.named_numbers("--param", options.param)
    agent: CheckpointAgent | None = None
    if options.checkpoint is not None:
        from pufferc.checkpoint import find_checkpoint

        path = find_checkpoint(options.checkpoint, options.runs, options.game)
        agent = CheckpointAgent(path, greedy=options.greedy, game=options.game)
        params = {**agent.params, **params}
    scores = play(options.game, agent=agent, params=params, seed=options.seed, fps=options.fps)
    if scores:
        print(f"{len(scores)} episodes, mean score {np.mean(scores):.4g}, best {max(scores):g}")
    return 0
