"""VecEnv, also called `make`: a pool of games as a `gymnasium.vector.VectorEnv`.

Shapes: N = num_envs rows = games * agents of one game, O... = shape of one observation. The rows of one game are
adjacent. All arrays belong to the pool. With copy=False (the default) the arrays returned by reset and step are
views: rewards, flags and statistics are overwritten by the next step, observations by the step after it (they
alternate between two buffers). Views stay readable after close() and after the VecEnv is deleted.

In a masked game some choices are sometimes illegal. K is the number of choices in all dimensions of an action. A mask
has one value per choice: whether it is legal in the next action.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from pufferc import _core, errors
from pufferc.envs.device import DeviceVecEnv
from pufferc.envs.final_infos import Ended
from pufferc.envs.games import MAKE_ARGUMENTS, EnvInfo, Game, check_keywords, find_game, param_value
from pufferc.envs.spaces import GameSpaces, game_spaces
from pufferc.errors import available_cores
from pufferc.files import map_file
from pufferc.pictures.panel import Seen
from pufferc.pictures.screen import Screen

__all__ = ["VecEnv", "available_cores", "make"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]
Step = tuple[Array, Array, Array, Array, dict[str, Any]]

_AUTORESET = {
    "same_step": (AutoresetMode.SAME_STEP, _core.AUTORESET_SAME_STEP),
    "next_step": (AutoresetMode.NEXT_STEP, _core.AUTORESET_NEXT_STEP),
    "disabled": (AutoresetMode.DISABLED, _core.AUTORESET_DISABLED),
}


def _count_games(spaces: GameSpaces, num_envs: int | None, num_games: int | None) -> int:
    agents = spaces.agents
    if num_games is not None:
        if num_envs is not None:
            raise ValueError(f"give num_envs or num_games, not both (got {num_envs!r} and {num_games!r})")
        return errors.integer("num_games", num_games, 1, _core.MAX_ROWS // agents)
    if num_envs is None:
        return 1
    rows = errors.integer("num_envs", num_envs, 1, _core.MAX_ROWS)
    if rows % agents:
        lower = rows - rows % agents
        near = f"{lower} or {lower + agents}" if lower else str(agents)
        raise ValueError(
            f"num_envs counts rows and must be a multiple of the {agents} agents of one game of {spaces.name}, "
            f"got {rows}; {near} would fit"
        )
    return rows // agents


def _field_values(name: str, values: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    """`values` in the type and shape of a state field. Raises if a conversion would do more than round."""
    given = np.asarray(values)
    if given.dtype.kind not in "biuf" or (given.dtype.kind == "f" and dtype.kind != "f"):
        raise TypeError(f"values of {name} must be {dtype}, got {given.dtype}")
    with np.errstate(over="ignore"):
        converted = given.astype(dtype)
    if dtype.kind != "f" and not (converted == given).all():
        raise ValueError(f"values of {name} must fit {dtype}, got {given.min()} to {given.max()}")
    try:
        return np.ascontiguousarray(np.broadcast_to(converted, shape))
    except ValueError:
        raise ValueError(f"values of {name} must have shape {shape} or broadcast to it, got {given.shape}") from None


def _game_numbers(numbers: Sequence[int], games: int) -> NDArray[np.uint64]:
    errors.sequence("game_numbers", numbers, "integers", _core.MAX_ROWS)
    if len(numbers) != games:
        raise ValueError(f"game_numbers must be {games}, one per game, got {len(numbers)}")
    return np.array([errors.seed("game_numbers", number) for number in numbers], np.uint64)


class VecEnv(VectorEnv[Array, Any, Array]):
    """A pool of `num_envs` rows of the game `name` behind Gymnasium's vector interface. `pufferc.make` is this class.

    Args:
        name: One of `list_envs()`, its Gymnasium id, or the path of a shared object with a game ("./mygame.so"), whose
            code is run.
        num_envs: Rows in every buffer: games times agents per game; must be a multiple of the agents. Default one game.
        num_games: Number of games, instead of num_envs.
        num_threads: Threads that step, the caller's included. Default: the cores available, at most one per game.
        seed: Seed of the first reset, an integer in [0, 2**64); None draws one (see `VecEnv.np_random_seed`).
        groups: Number of groups for send and recv; divides the number of games.
        copy: True returns copies instead of views of the pool's buffers.
        autoreset: "same_step": an ended game is reset within the step that ended it; "next_step": by the step after it,
            which ignores the actions of ended rows and gives them reward 0; "disabled": it is frozen until it is reset
            with options={"reset_mask": ...}.
        render_mode: "rgb_array": `render` returns a picture; "rgb_array_list": a list of those of the reset and the
            steps since its last call; "human": a window shows every reset and step.
        render_games: The number of games in a picture, the first ones, in a grid. None: `render` returns a tuple with
            one picture for each row, as Gymnasium's vector environments do and its vector RecordVideo expects.
        game_numbers: One integer in [0, 2**64) per game: its number in a larger set of games. A pool of some of these
            then gives the same results as a pool of all with the same seed. Default 0, 1, 2, ...
        data: Path of the file that the game reads (a map), for games with `info.reads_data`. It is mapped into memory
            once for all games and must not change while the pool exists.
        device: "cpu". With "cuda" or "cuda:0" `make` returns a `pufferc.envs.device.DeviceVecEnv`, whose games a GPU
            steps and whose arrays are torch tensors.
        params: Parameters of the game by name, see `env_info(name).params`.
        **more_params: The same as keywords, which take precedence.

    Attributes:
        num_envs: Rows N in every array. num_games * agents.
        num_games, agents: Games, and rows of each.
        num_teams, teams: Number of teams, 0 = no teams; and int32 [agents], the team of each agent, or None.
        observation_rows: The observation table for these parameters.
        num_threads, groups: As given.
        info: Description of the game.
        spaces: Spaces of one row, see `game_spaces`.
        name, version: The game.
        autoreset_mode: The `gymnasium.vector.AutoresetMode`, as in `metadata`.
        fps: Steps per second for display, with these parameters.
        params: Every parameter of the game with its current value.
        rewards: float32 [N], of the latest step.
        terminated, truncated: bool [N]: the episode ended by the rules, or was cut short. Never both.
        alive: bool [N]: the row acts in the next step.
        action_mask: uint32 [N, ceil(K / 32)] in a masked game, else None. Bit k % 32 of word k / 32 is 1 where choice k
            is legal in the next action. Rows that do not act have all K bits set.
        forced: bool [N] in a masked game, else None: every dimension has only one legal choice.
        final_observations: [N, O...]: last observation of episodes that the latest step ended; other rows are stale.

    Raises:
        ValueError, TypeError: An argument is wrong; the message names it. Unknown keywords are a TypeError.
        MemoryError: The pool would not fit into the memory of this machine.
    """

    metadata: dict[str, Any] = {  # noqa: RUF012
        "render_modes": ["human", "rgb_array", "rgb_array_list"],
        "autoreset_mode": AutoresetMode.SAME_STEP,
    }

    def __init__(
        self,
        name: Game,
        num_envs: int | None = None,
        *,
        num_games: int | None = None,
        num_threads: int | None = None,
        seed: int | None = None,
        groups: int = 1,
        copy: bool = False,
        autoreset: str = "same_step",
        render_mode: str | None = None,
        render_games: int | None = 1,
        game_numbers: Sequence[int] | None = None,
        data: str | os.PathLike[str] | None = None,
        device: str = "cpu",
        params: Mapping[str, Any] | None = None,
        **more_params: Any,
    ) -> None:
        """Make the pool. See the class."""
        info, own = find_game(name)
        check_keywords("make", info, more_params, MAKE_ARGUMENTS)
        given = errors.game_params({} if params is None else params) | errors.game_params(more_params)
        values = errors.game_params(own) | given
        spaces = game_spaces(info, values)
        games = _count_games(spaces, num_envs, num_games)
        errors.choice("autoreset", autoreset, list(_AUTORESET))
        if render_mode is not None:
            errors.choice("render_mode", render_mode, self.metadata["render_modes"])
        self.render_mode, self._shows = render_mode, render_mode in ("human", "rgb_array_list")
        self._frames: list[Any] = []  # with rgb_array_list: pictures since the last call of render or reset
        self._render_games = None if render_games is None else errors.integer("render_games", render_games, 1, games)
        self._screen: Screen | None = None
        self._seen: Seen | None = None
        if num_threads is None:
            num_threads = min(available_cores(), games, _core.MAX_THREADS)
        self.num_threads = errors.integer("num_threads", num_threads, 1, _core.MAX_THREADS)
        self.groups = errors.integer("groups", groups, 1, min(games, _core.MAX_GROUPS))
        if games % self.groups:
            raise ValueError(f"groups must divide the {games} games of this pool, got {self.groups}")
        self._copy = errors.flag("copy", copy)
        self._seed = int.from_bytes(os.urandom(8), "little") if seed is None else errors.seed("seed", seed)
        numbers = None if game_numbers is None else _game_numbers(game_numbers, games)
        mapped = None if data is None else map_file("data", data)
        self.data = None if data is None else os.path.abspath(os.path.expanduser(data))
        try:
            self._pool = _core.Pool(
                env=info.engine,
                num_games=games,
                num_threads=self.num_threads,
                num_groups=self.groups,
                autoreset=_AUTORESET[autoreset][1],
                seed=self._seed,
                params=values,
                game_numbers=numbers,
                data=mapped,
            )
        except (ValueError, MemoryError) as error:
            if num_envs is None:
                raise
            raise type(error)(str(error).replace("num_games:", "num_envs:", 1)) from None
        self._arguments: dict[str, Any] = {  # of a copy, beside seed and params
            "name": info, "num_games": games, "num_threads": self.num_threads, "groups": self.groups,
            "copy": self._copy, "autoreset": autoreset, "render_mode": render_mode, "render_games": self._render_games,
            "game_numbers": numbers, "data": self.data,
        }  # fmt: skip
        self._started = False
        self._describe(info, games, spaces, autoreset)
        self._hold_views(info)

    if not TYPE_CHECKING:  # for type checkers the class stays a plain one

        @functools.wraps(__init__, assigned=())  # keeps the signature
        def __new__(cls, *arguments, device="cpu", **keywords):
            """Return a DeviceVecEnv if `device` is a GPU."""
            if str(device) == "cpu":
                return super().__new__(cls)
            return DeviceVecEnv(cls(*arguments, **{"num_threads": 1, **keywords}), device)

    def _describe(self, info: EnvInfo, games: int, spaces: GameSpaces, autoreset: str) -> None:
        self.info, self.spaces = info, spaces
        self.name, self.version = info.name, info.version
        self.num_games, self.agents, self.num_teams = games, spaces.agents, spaces.teams
        self.num_envs = games * spaces.agents
        self._num_choices = sum(spaces.action_counts)
        self.autoreset_mode = _AUTORESET[autoreset][0]
        self.metadata = {**self.metadata, "autoreset_mode": self.autoreset_mode}
        self._read_params()
        self.observation_rows = spaces.observation_rows
        self.single_observation_space = spaces.observation_space
        self.single_action_space = spaces.action_space

    def _read_params(self) -> None:
        """Read the current parameters, and the display speed, which depends on frames_per_step."""
        self.params: dict[str, int | float | bool] = {
            row.name: param_value(row.type, value)
            for row, value in zip(self.info.params, self._pool.params(), strict=True)
        }
        self.fps = self.info.fps / float(self.params.get("frames_per_step", 1))
        self.metadata["render_fps"] = self.fps

    def _hold_views(self, info: EnvInfo) -> None:
        """Make the views that steps return, once, so that a step creates no arrays."""
        pool = self._pool
        self.rewards: NDArray[np.float32] = pool.rewards
        self.terminated: Flags = pool.terminated
        self.truncated: Flags = pool.truncated
        self.alive: Flags = pool.alive
        self.action_mask: NDArray[np.uint32] | None = pool.action_mask
        self.forced: Flags | None = pool.forced
        self.final_observations: Array = pool.final_observations
        self.teams: NDArray[np.int32] | None = pool.teams
        self._every_row = np.ones(self.num_envs, np.bool_)  # the "_action_mask" of infos
        self._metric_names = info.metrics
        stats: dict[str, Array] = {"r": pool.episode_returns, "l": pool.episode_lengths}
        stats.update((name, pool.episode_metrics[:, i]) for i, name in enumerate(info.metrics))
        final = self.final_observations if self.autoreset_mode is AutoresetMode.SAME_STEP else None
        self._whole = Ended(pool.ended, stats, final)
        rows = self.num_envs // self.groups
        parts = self._group_rows = [slice(group * rows, (group + 1) * rows) for group in range(self.groups)]
        self._group_given = [False] * len(parts)  # whether the caller's array gets a step's observations
        self._group_views = [(self.rewards[part], self.terminated[part], self.truncated[part]) for part in parts]
        self._group_ended = [self._whole.part(part) for part in parts]

    @cached_property
    def observation_space(self) -> gym.Space[Any]:  # type: ignore[override]
        """Space of all rows together, [N, O...]. Made at first use, because it holds two arrays of that shape."""
        return batch_space(self.single_observation_space, self.num_envs)

    @cached_property
    def action_space(self) -> gym.Space[Any]:  # type: ignore[override]
        """Space of all rows' actions together."""
        return batch_space(self.single_action_space, self.num_envs)

    @property
    def core(self) -> _core.Pool:
        """The compiled pool. Pictures draw its games."""
        return self._pool

    @property
    def title(self) -> str:
        """The game's name for people."""
        return self.info.title

    @property
    def np_random_seed(self) -> int:
        """The current seed: of `make`, or of the latest reset with an integer seed."""
        return self._seed

    # ---- stepping -----------------------------------------------------------------------------------

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
        observations: Any = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start new episodes.

        Args:
            seed: An integer seeds the whole pool. A list has one seed per game; None in it continues that game's random
                stream. None: all streams continue.
            options: {"reset_mask": bool [N]} resets the rows that are True and does not change the others.
            observations: The caller's array or torch CPU tensor [N, O...] to write into.

        Returns:
            Observations [N, O...] (the given array, if any), and infos: empty except for "action_mask" in a masked
            game, see `step`.
        """
        mask = self._reset_mask(options)
        if seed is None:
            out = self._pool.reset(None, None, mask, observations)
        elif (isinstance(seed, Sequence) and not isinstance(seed, (str, bytes))) or getattr(seed, "ndim", None):
            out = self._reset_by_list(seed, mask, observations)
        else:
            number = errors.seed("seed", seed)
            out = self._pool.reset(number, None, mask, observations)
            self._seed = number
        self._started = True
        if self._shows:
            self._show(out)
        infos: dict[str, Any] = {}
        if self.action_mask is not None:
            self._add_masks(infos, slice(None))
        return self._own(out, observations is not None), infos

    def _reset_mask(self, options: dict[str, Any] | None) -> Flags | None:
        if options is None:
            return None
        if not isinstance(options, Mapping):
            raise TypeError(f"options must be a dict, got {options!r} of type {type(options).__name__}")
        if not options:
            return None
        for key in options:
            if key != "reset_mask":
                errors.unknown("reset option", str(key), ["reset_mask"])
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray) or mask.dtype != np.bool_:
            kind = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise TypeError(f"options['reset_mask'] must be a bool array, got {kind}")
        if mask.shape != (self.num_envs,):
            raise ValueError(f"options['reset_mask'] must have shape ({self.num_envs},), got {mask.shape}")
        if not mask.any():
            raise ValueError("options['reset_mask'] must be True for at least one row")
        return np.ascontiguousarray(mask)

    def _reset_by_list(self, seeds: Any, mask: Flags | None, observations: Any) -> Array:
        if len(errors.sequence("seed", seeds, "integers", _core.MAX_ROWS)) != self.num_games:
            raise ValueError(f"seed must be one integer or {self.num_games}, one per game, got {len(seeds)}")
        given = np.array([s is not None for s in seeds], np.bool_)
        numbers = np.array([0 if s is None else errors.seed("seed", s) for s in seeds], np.uint64)
        if given.all():
            return self._pool.reset(None, numbers, mask, observations)
        # First all games continue their streams; then the games with a seed are reset again.
        out = self._pool.reset(None, None, mask, observations)
        rows = np.repeat(given, self.agents) if mask is None else np.repeat(given, self.agents) & mask
        return self._pool.reset(None, numbers, rows, observations) if rows.any() else out

    def step(self, actions: Any, *, observations: Any = None) -> Step:
        """Step every game once.

        Args:
            actions: int32 or int64 [N] (Discrete) or [N, dims] (MultiDiscrete); float32 or float64 [N, dims] (Box),
                clamped to [-1, 1]. Arrays, torch CPU tensors or lists, checked and copied before any game moves. In a
                masked game each choice must be legal. Rows that wait for their reset may have any action.
            observations: The caller's array or torch CPU tensor [N, O...] to write into.

        Returns:
            observations [N, O...], rewards float32 [N], terminated bool [N], truncated bool [N], infos. Where an
            episode ended, infos has "final_info" with {"episode": {"r", "l" and the game's metrics}}. With same-step
            autoreset observations then hold the first one of the next episode and infos["final_obs"] [N, O...] the last
            ones; else observations hold the last ones. Each key has a mask under "_" + key, and is missing if no
            episode ended. In a masked game infos always has "action_mask",
            bool [N, K]: which choices are legal in the next action.

        Raises:
            ValueError, TypeError: Actions or observations are wrong; no game has moved.
            RuntimeError: Not reset yet, closed, used by another thread at the same time, or in a forked child.
        """
        out, ended = self._pool.step(actions, observations)
        infos = self._whole.infos(self._copy) if ended else {}
        if self.action_mask is not None:
            self._add_masks(infos, slice(None))
        if self._shows:
            self._show(out, actions)
        if self._copy:
            rewards, terminated, truncated = self.rewards.copy(), self.terminated.copy(), self.truncated.copy()
            return self._own(out, observations is not None), rewards, terminated, truncated, infos
        return out, self.rewards, self.terminated, self.truncated, infos

    def send(self, actions: Any, group: int = 0, *, observations: Any = None) -> None:
        """Start a step of one group's rows, [N / groups, ...]; the games move while the caller continues.

        `observations` must not be touched before `recv`. With num_threads=1 the games move in `recv`.
        """
        group = errors.integer("group", group, 0, self.groups - 1)
        self._pool.send(actions, group, observations)
        self._group_given[group] = observations is not None

    def recv(self, group: int = 0) -> Step:
        """Wait for a group's step and return what `step` returns, for its rows."""
        group = errors.integer("group", group, 0, self.groups - 1)
        out, ended = self._pool.recv(group)
        infos = self._group_ended[group].infos(self._copy) if ended else {}
        rewards, terminated, truncated = self._group_views[group]
        if self.action_mask is not None:
            self._add_masks(infos, self._group_rows[group])
        if self._copy:
            rewards, terminated, truncated = rewards.copy(), terminated.copy(), truncated.copy()
            return self._own(out, self._group_given[group]), rewards, terminated, truncated, infos
        return out, rewards, terminated, truncated, infos

    def _advance(self, actions: Any, observations: Any = None) -> tuple[Array, dict[str, Any]]:
        """`step` for trainers: opens no window, and does not build the bool "action_mask", since trainers read words.

        Returns the observations and the infos of `step`, which are empty if no episode ended.
        """
        out, ended = self._pool.step(actions, observations)
        return out, self._whole.infos(False) if ended else {}

    def _add_masks(self, infos: dict[str, Any], rows: slice) -> None:
        infos["action_mask"] = self._unpack_masks(rows)
        infos["_action_mask"] = self._every_row[rows]

    def _unpack_masks(self, rows: slice) -> Flags:
        assert self.action_mask is not None
        octets = self.action_mask[rows].astype("<u4", copy=False).view(np.uint8)
        return np.unpackbits(octets, axis=1, count=self._num_choices, bitorder="little").view(np.bool_)

    def action_masks(self) -> Flags:
        """Which choices are legal in the next action: bool [N, K], a new array. All are, in a game without masks.

        Raises NotImplementedError in a continuous game.
        """
        if self.action_mask is not None:
            return self._unpack_masks(slice(None))
        if not self._num_choices:
            raise NotImplementedError(f"{self.name} has continuous actions here, which have no masks")
        return np.ones((self.num_envs, self._num_choices), np.bool_)

    def _own(self, out: Array, given: bool) -> Array:
        """The observations to return: a copy if the caller wants copies and gave no array."""
        return out.copy() if self._copy and not given else out

    # ---- results, state and pictures ----------------------------------------------------------------

    def pop_metrics(self) -> dict[str, float]:
        """Means over the episodes that ended since the last call.

        Keys are always the same: "episodes" (their number), "episode_return", "episode_length" and the game's metrics.
        Without an episode the means are NaN.
        """
        episodes, values = self._pool.pop_metrics()
        names = ("episode_return", "episode_length", *self._metric_names)
        if episodes == 0:
            values = (float("nan"),) * len(names)
        return {"episodes": episodes, **dict(zip(names, values, strict=True))}

    def script(
        self, level: int, rows: Sequence[int] | NDArray[np.integer[Any]] | None = None, *, seed: int = 0, step: int = 0
    ) -> Array:
        """Actions of the game's built-in player, as an opponent or a baseline. Changes no game.

        Args:
            level: Its strength, 0 to info.levels - 1.
            rows: Numbers of the rows to play for. Default: all.
            seed: Integer in [0, 2**64). The player's random choices depend on seed, step and the row's number in the
                whole set of games, so they are the same for any number of threads and any division into pools.
            step: Integer in [0, 2**64), which should differ from step to step.

        Returns:
            int32 [n] or [n, dims], or float32 [n, dims] in a continuous game, as for `step`.

        Raises:
            NotImplementedError: The game has no built-in player.
            ValueError, TypeError: An argument does not fit.
        """
        numbers = None
        if rows is not None:
            found = np.asarray(rows)
            if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
                raise TypeError(f"rows must be a sequence of integers, got {rows!r}")
            if found.size and (found.min() < 0 or found.max() >= self.num_envs):
                raise ValueError(f"rows must be in [0, {self.num_envs - 1}], got {found.min()} to {found.max()}")
            numbers = np.ascontiguousarray(found, np.int32)
        level = errors.integer("level", level, 0, 2**31 - 1)  # the pool knows how many there are
        return self._pool.script(level, numbers, errors.seed("seed", seed), errors.seed("step", step))

    def state(self, name: str) -> Array:
        """A state member of every game, for tests and debugging: a new array [games] or [games, count].

        `info.fields` lists the names; dtype and count are the game's. Not between send and recv.
        """
        return self._pool.get_field(errors.text("name", name))

    def set_state(self, name: str, values: Any, *, observations: Any = None) -> Array:
        """Write a state member of every game, for tests and debugging; return the new observations [N, O...].

        `values` must have the shape that `state` returns or broadcast to it. Whether the rules could reach such a state
        is not checked. NotImplementedError in games that own something outside their state.
        """
        dtype, shape = self._pool.field(errors.text("name", name))
        array = _field_values(name, values, dtype, shape)
        return self._own(self._pool.set_field(name, array, observations), observations is not None)

    def set_param(self, name: str, value: float) -> None:
        """Change a parameter of the game between steps, for schedules. It takes effect in the next step or reset.

        ValueError if sizes or the observation table depend on it, or the value is out of range. A snapshot loads only
        into a pool with the parameters that it was saved with.
        """
        ((name, number),) = errors.game_params({name: value}).items()
        self._pool.set_param(name, number)
        self._read_params()

    def save(self) -> bytes:
        """Snapshot of every game, its random stream and its unfinished episode. Not between send and recv."""
        return self._pool.save()

    def load(self, snapshot: bytes, *, observations: Any = None) -> Array:
        """Continue from a snapshot of a pool of the same game, version, parameters and number of games.

        Returns the observations [N, O...] of the restored games. Raises ValueError for a damaged snapshot, or one of
        another pool. Load only snapshots that you trust: the checksum detects damage, not forgery.
        """
        if not isinstance(snapshot, (bytes, bytearray, memoryview)):
            raise TypeError(f"snapshot must be bytes, got {type(snapshot).__name__}")
        out = self._pool.load(bytes(snapshot), observations)
        self._started = True
        return self._own(out, observations is not None)

    def close_extras(self, **kwargs: Any) -> None:
        """End the pool's threads. Views stay readable; stepping raises RuntimeError."""
        if self._screen is not None:
            self._screen.close()
        self._pool.close()

    def render(self) -> Any:
        """The first render_games games as one picture uint8 [H, W, 3]; None if a window shows one of them.

        With render_games=None (the default of `gymnasium.make_vec`) a tuple of N pictures, one for each row; rows of
        one game share theirs. With render_mode="rgb_array_list" a list of pictures in place of each: the reset and the
        steps since the last call.

        With render_mode="human" every reset and step calls it. Raises
        pufferc.pictures.renderer.DrawingUnavailable if a window is not possible or the game has no picture.
        """
        if self.render_mode is None:
            raise RuntimeError("render() needs a render_mode; pass render_mode='rgb_array' or 'human' to make")
        if self.render_mode != "rgb_array_list":
            return self._picture()
        frames, self._frames = self._frames, []
        if self._render_games is not None:
            return frames
        return tuple([frame[row] for frame in frames] for row in range(self.num_envs))

    def _picture(self) -> Any:
        """The current picture, or one for each row. With a window None."""
        mode = "human" if self.render_mode == "human" else "rgb_array"
        if self._screen is None:
            self._screen = Screen(self, mode, self._render_games or 1)
        each = self._render_games is None and mode == "rgb_array"
        return self._screen.each() if each else self._screen.show(self._seen)

    def _show(self, observations: Array, actions: Any = None) -> None:
        """Shows the games in the window, which can also show what the agents see and did, or keeps their picture."""
        step = {} if actions is None else {"actions": np.asarray(actions), "rewards": self.rewards}
        self._seen = Seen(observations, **step)
        if (picture := self._picture()) is not None:
            if not step:
                self._frames = []
            self._frames.append(picture)

    def __del__(self) -> None:
        """Does nothing. Gymnasium before 1.3 would close the pool here while a Renderer may still draw it."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickling and copying: the arguments, the games as `save` gives them, and the spaces.

        The copy continues as this pool does. Its rewards and flags are those of `load`, and it has no window yet. Not
        between send and recv. NotImplementedError for games that `save` refuses, after their first reset.
        """
        kept = {name: self.__dict__[name] for name in _COPIED if name in self.__dict__}
        arguments = {**self._arguments, "seed": self._seed, "params": self.params}
        return _restore, (type(self), arguments, self.save() if self._started else None, kept)

    def __repr__(self) -> str:
        return f"VecEnv({self.name!r}, num_envs={self.num_envs}, num_threads={self.num_threads})"


# Attributes of a VecEnv that a copy takes over, beside its arguments and games.
_COPIED = ("spec", "_np_random", "single_observation_space", "single_action_space", "observation_space", "action_space")


def _restore(kind: type[VecEnv], arguments: dict[str, Any], snapshot: bytes | None, kept: dict[str, Any]) -> VecEnv:
    """The copy that `VecEnv.__reduce__` describes."""
    env = kind(**arguments)
    env.__dict__.update(kept)
    if snapshot is not None:
        env.load(snapshot)
    return env


make = VecEnv
