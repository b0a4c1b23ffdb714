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


@dataclass(frozen=True)
class _Bindings:
    """Which keys mean which action. `idle` is the action without a key: one, "keep" the last, "alternate" 0 and 1."""

    keys: tuple[tuple[int, tuple[str, ...]], ...]
    idle: int | str = 0


_SIDES = ("left", "a"), ("right", "d")
_BINDINGS = {
    "breakout": _Bindings(((1, _SIDES[0]), (2, _SIDES[1]))),
    "template": _Bindings(((1, _SIDES[0]), (2, _SIDES[1]))),
    "cartpole": _Bindings(((0, _SIDES[0]), (1, _SIDES[1])), "alternate"),
    "lander": _Bindings(((1, _SIDES[0]), (2, ("up", "w")), (3, _SIDES[1]))),
    "pong": _Bindings(((1, ("up", "w")), (2, ("down", "s")))),
    "snake": _Bindings(((0, ("up", "w")), (1, ("down", "s")), (2, _SIDES[0]), (3, _SIDES[1])), "keep"),
    "tmaze": _Bindings(((0, ("left", "a", "up", "w")), (1, ("right", "d", "down", "s")))),
    "squared": _Bindings(((1, ("down", "s")), (2, ("up", "w")), (3, _SIDES[0]), (4, _SIDES[1]))),
}


class Keyboard:
    """The person's actions. Games without bindings of their own take the digit keys; continuous ones left and right.

    Args:
        envs: The pool whose first row the person plays.
        viewer: The window whose keys count.
    """

    def __init__(self, envs: VecEnv, viewer: Viewer) -> None:
        self._viewer = viewer
        self._space = envs.single_action_space
        self._bindings = _BINDINGS.get(envs.name)
        if self._bindings is None and isinstance(self._space, gym.spaces.Discrete):
            self._bindings = _Bindings(tuple((n, (str(n),)) for n in range(min(10, int(self._space.n)))))
        self._last = 0

    def hints(self) -> tuple[str, ...]:
        """Which keys play, as lines of the window's help."""
        if self._bindings is None:
            return ("arrows  play",)
        return tuple(f"{' '.join(keys):<7} action {action}" for action, keys in self._bindings.keys)

    def active(self) -> bool:
        """Whether a key that means an action is down or was pressed since the last step."""
        names = [name for _, keys in self._bindings.keys for name in keys] if self._bindings else ["left", "right"]
        return any(KEYS[name] in self._viewer.pressed or self._viewer.held(name) for name in names)

    def action(self) -> NDArray[Any]:
        """The action of one row: int32 [] or [A], or float32 [A] in a continuous game."""
        if isinstance(self._space, gym.spaces.Box):
            side = float(self._viewer.held("right")) - float(self._viewer.held("left"))
            rise = float(self._viewer.held("up")) - float(self._viewer.held("down"))
            return np.array([side, rise, *[0.0] * 8][: int(np.prod(self._space.shape))], np.float32)
        self._last = self._choose()
        if isinstance(self._space, gym.spaces.MultiDiscrete):
            return np.array([self._last, *[0] * (len(self._space.nvec) - 1)], np.int32)
        return np.array(self._last, np.int32)

    def _choose(self) -> int:
        if self._bindings is None:
            return 0
        for latest in reversed(self._viewer.pressed):
            for action, names in self._bindings.keys:
                if latest in (KEYS[name] for name in names):
                    return action
        for action, names in self._bindings.keys:
            if any(self._viewer.held(name) for name in names):
                return action
        if self._bindings.idle == "keep":
            return self._last
        if self._bindings.idle == "alternate":
            return 1 - min(self._last, 1)
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
        agent: Who plays the first row while the person leaves the keys alone; None: the person alone. Other rows of
            the game, if it has several agents, are played by `agent`, or at random.
        params: Parameters of the game. Without an agent a game's frameskip is 1 unless given, for a smooth picture.
        seed: Of the game.
        fps: Steps per second; default: as the game is meant to look.
        steps: End after this many steps; default: when the window is closed.
        paused: Begin paused.

    Returns:
        The scores of the first row's finished episodes.

    Raises:
        DrawingUnavailable: No window can be opened; the message says why.
    """
    chosen = dict(params or {})
    if agent is None and any(row.name == "frameskip" for row in env_info(game).params):
        chosen.setdefault("frameskip", 1)
    limit = None if steps is None else _errors.integer("steps", steps, 1)
    envs = VecEnv(game, num_games=1, num_threads=1, seed=seed, params=chosen)
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
    viewer.note("press h for help")
    viewer.hints = keyboard.hints()
    seen = Seen(observations=observations)
    while viewer.show(seen) and (limit is None or played < limit):
        choice = others.act(observations)
        actions = np.array(choice.actions)
        taken = agent is None or keyboard.active()
        if taken:
            actions[0] = keyboard.action()
        viewer.player = "" if agent is None else "you play" if taken else "policy"
        absent = ~envs.alive
        observations, rewards, terminated, truncated, infos = envs.step(actions)
        played += 1
        seen = Seen(observations, actions, choice.values, rewards)
        ended = terminated | truncated
        others.restart(ended | absent)
        if ended[0]:
            episode = infos["final_info"]["episode"]
            scores.append(float(episode.get("score", episode["r"])[0]))
            viewer.note(f"score {scores[-1]:g}")
    return scores


def main(words: Sequence[str]) -> int:
    """`pufferc play NAME [--checkpoint PATH] [--seed N] [--fps N] [--param NAME=VALUE ...]`."""
    parser = argparse.ArgumentParser(
        "pufferc play",
        description="Play a game with the arrow keys or wasd, or digits; with --checkpoint the policy plays, and you "
        "take over while you hold a key.",
        epilog="keys in the window:\n  " + "\n  ".join(HELP),
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
