"""Lockstep of a game and a reference implementation of the same rules, for tests.

    class Theirs:                                          # wraps one game of the reference package
        def step(self, actions, draws): ...

    agreement = lockstep(
        pufferc.make("connect4", num_games=16, autoreset="disabled", seed=1),
        [Theirs() for _ in range(16)],
        copy=lambda ours, theirs: ...,                     # take over our state
        compare=lambda ours, theirs: ...,                  # None, or how the two differ
        actions=None,                                      # random legal ones
        steps=1000,
    )

Ours are the games of one pool, and theirs is one object for each of them. Both play the same actions. Our state is
copied to the reference when an episode starts and, for games whose arithmetic differs in the last digits, every few
steps. What our games drew at random is passed on, so that the reference need not draw itself; `Draws` stands in for
its random source. The first difference raises `Difference`, which shows both states.
"""

from __future__ import annotations

import importlib
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import ModuleType
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from pufferc import errors
from pufferc.envs.spaces import sample_legal
from pufferc.envs.vector import VecEnv

__all__ = [
    "Agreement",
    "Difference",
    "Draws",
    "MissingReference",
    "Moment",
    "Reference",
    "lockstep",
    "reference_package",
]

Array = NDArray[Any]


class MissingReference(ImportError):
    """A reference package is not installed. The message names it."""


class Difference(AssertionError):
    """Our game and the reference differ. The message says when and how, and shows both states.

    Attributes:
        steps: How many steps of one game agreed before.
    """

    def __init__(self, message: str, steps: int) -> None:
        super().__init__(message)
        self.steps = steps


class _Pool:
    """Our games between two steps. What all moments of a step have in common is read once."""

    def __init__(self, envs: VecEnv, observations: Array, actions: Array | None, step: int) -> None:
        self.envs, self.observations, self.actions, self.step = envs, observations, actions, step
        self._fields: dict[str, Array] = {}

    @cached_property
    def legal(self) -> Array:
        return self.envs.action_masks()

    def state(self, name: str) -> Array:
        if name not in self._fields:
            self._fields[name] = self.envs.state(name)
        return self._fields[name]

    def rows(self, game: int) -> slice:
        return slice(game * self.envs.agents, (game + 1) * self.envs.agents)

    def moment(self, game: int) -> Moment:
        rows, envs = self.rows(game), self.envs
        started = self.actions is None  # then rewards and flags are those of the episode before
        rewards = np.zeros_like(envs.rewards[rows]) if started else envs.rewards[rows]
        terminated = np.zeros_like(envs.terminated[rows]) if started else envs.terminated[rows]
        truncated = np.zeros_like(envs.truncated[rows]) if started else envs.truncated[rows]
        actions = None if self.actions is None else self.actions[rows]
        return Moment(game, self.step, actions, self.observations[rows], rewards, terminated, truncated, self)


@dataclass(frozen=True)
class Moment:
    """One of our games after a step, or at the start of an episode.

    A agents, K choices of all dimensions together, O... the shape of an observation.

    Attributes:
        game, step: Numbers of the game and of the step, from 0.
        actions: [A] or [A, D], the actions of the step; None at the start of an episode.
        observations: [A, O...]; the final ones after the last step of an episode.
        rewards: float32 [A]; zeros at the start.
        terminated, truncated: bool [A].
    """

    game: int
    step: int
    actions: Array | None
    observations: Array
    rewards: Array
    terminated: Array
    truncated: Array
    _pool: _Pool

    @property
    def ended(self) -> bool:
        """Whether the episode ended for any agent."""
        return bool((self.terminated | self.truncated).any())

    @property
    def legal(self) -> NDArray[np.bool_]:
        """Legal choices in the next action, [A, K]. They mean nothing after the end of an episode."""
        return self._pool.legal[self._pool.rows(self.game)]

    def state(self, name: str) -> Any:
        """A member of the game's state, see `VecEnv.state`."""
        return self._pool.state(name)[self.game]


class Reference(Protocol):
    """One game of a reference implementation. Its `str` is shown where it differs from ours."""

    def step(self, actions: Array, draws: Sequence[Any]) -> None:
        """Play the actions [A] or [A, D] of all agents; `draws` are the random numbers of our step, see `lockstep`."""


R = TypeVar("R", bound=Reference)


@dataclass
class Draws:
    """A random source that returns given values in order, in place of a reference's own.

    Every method (`random()`, `integers(5)`, `choice(items)`, ...) returns the next value, whatever its arguments are.

    >>> source = Draws()
    >>> source.feed([3, 0.5])
    >>> source.integers(10), source.random(), source.left
    (3, 0.5, 0)
    """

    _values: deque[Any] = field(default_factory=deque)

    def feed(self, values: Iterable[Any]) -> None:
        """Append values."""
        self._values.extend(values)

    @property
    def left(self) -> int:
        """How many values were not asked for yet."""
        return len(self._values)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("_"):
            raise AttributeError(name)

        def draw(*_: Any, **__: Any) -> Any:
            if not self._values:
                raise RuntimeError(f"the reference called {name}() once more than our game drew")
            return self._values.popleft()

        return draw


@dataclass(frozen=True)
class Agreement:
    """What agreed.

    Attributes:
        name: The game.
        steps: Steps, over all games.
        episodes: Episodes that ended.
        copies: How often our state was copied, starts of episodes not counted.
    """

    name: str
    steps: int
    episodes: int
    copies: int

    def __str__(self) -> str:
        return f"{self.name}: {self.steps:,} steps and {self.episodes:,} ends agree; {self.copies:,} copies between"


def reference_package(module: str, package: str) -> ModuleType:
    """Import a reference package. Raises MissingReference, which names the package, where it is not installed."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingReference(f"{package} is not installed: pip install 'pufferc[parity]' ({error})") from error


def lockstep(
    ours: VecEnv,
    theirs: Sequence[R],
    copy: Callable[[Moment, R], None],
    compare: Callable[[Moment, R], str | None],
    actions: Callable[[VecEnv, np.random.Generator], Array] | None,
    steps: int,
    *,
    draws: Callable[[Moment], Sequence[Any]] | None = None,
    copy_every: int | None = None,
    seed: int = 0,
) -> Agreement:
    """Play our games and their references with the same actions and compare them after every step.

    Args:
        ours: A pool with autoreset="disabled". It is reset here; games that end are reset one by one.
        theirs: One reference for each game.
        copy: Gives a reference the state of our game, at the start of an episode and every `copy_every` steps.
        compare: Compares after a step. Returns None, or what differs, in words.
        actions: Chooses actions [N] or [N, D] for all rows; None: random legal ones.
        steps: Steps of each game.
        draws: The random numbers that our game drew in the step, read from its state, for `Reference.step`.
        copy_every: Steps between copies within an episode; None = never.
        seed: Of the generator for `actions`.

    Raises:
        Difference: At the first difference.
        ValueError: An argument does not fit.
    """
    _check(ours, theirs)
    errors.integer("steps", steps, 1)
    between = None if copy_every is None else errors.integer("copy_every", copy_every, 1)
    choose = _random_legal if actions is None else actions
    generator = np.random.default_rng(seed)
    _start(ours, theirs, copy, None, 0)
    episodes = copies = 0
    for step in range(steps):
        chosen = choose(ours, generator)
        observations, *_ = ours.step(chosen)
        pool = _Pool(ours, observations, chosen, step)
        for game, reference in enumerate(theirs):
            moment = pool.moment(game)
            reference.step(chosen[pool.rows(game)], [] if draws is None else draws(moment))
            found = compare(moment, reference)
            if found is not None:
                raise Difference(_report(pool, game, reference, found), step * len(theirs) + game)
            if between is not None and (step + 1) % between == 0 and not moment.ended:
                copy(moment, reference)
                copies += 1
        ended: NDArray[np.bool_] = (ours.terminated | ours.truncated).reshape(ours.num_games, -1).max(axis=1)
        if ended.any():
            _start(ours, theirs, copy, ended, step + 1)
            episodes += int(ended.sum())
    return Agreement(ours.name, steps * len(theirs), episodes, copies)


def _start(
    ours: VecEnv, theirs: Sequence[R], copy: Callable[[Moment, R], None], games: NDArray[np.bool_] | None, step: int
) -> None:
    """Start an episode in some games, None = all, and copy the states."""
    mask = None if games is None else {"reset_mask": np.repeat(games, ours.agents)}
    observations, _ = ours.reset(options=mask)
    pool = _Pool(ours, observations, None, step)
    for game in range(ours.num_games) if games is None else np.flatnonzero(games).tolist():
        copy(pool.moment(game), theirs[game])


def _check(ours: VecEnv, theirs: Sequence[Any]) -> None:
    if ours.metadata["autoreset_mode"].name != "DISABLED":
        raise ValueError("ours must have autoreset='disabled', so that the state after the end can be compared")
    if len(theirs) != ours.num_games:
        raise ValueError(f"theirs must be {ours.num_games} references, one for each game, got {len(theirs)}")


def _random_legal(envs: VecEnv, generator: np.random.Generator) -> Array:
    if not envs.spaces.action_counts:
        space = envs.action_space
        return generator.uniform(-1.0, 1.0, space.shape).astype(np.float32)
    return sample_legal(envs.single_action_space, envs.action_masks(), generator)


def _report(pool: _Pool, game: int, reference: Any, found: str) -> str:
    moment = pool.moment(game)
    names = pool.envs.info.fields
    lines = [
        f"{pool.envs.name}, game {game}, step {pool.step}: {found}",
        f"actions {moment.actions}, rewards {moment.rewards}, "
        f"terminated {moment.terminated}, truncated {moment.truncated}",
        "our state:" if names else "our game has no state fields",
        *(f"  {name} = {np.array2string(np.asarray(moment.state(name)))}" for name in names),
        "their state:",
        *(f"  {line}" for line in str(reference).splitlines()),
    ]
    return "\n".join(lines)
