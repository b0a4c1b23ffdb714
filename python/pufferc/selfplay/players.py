"""Who can sit at a table: a policy, a game's script, or an exported policy file.

A player is named in one word (`load_player`):

    script:2            level 2 of the game's script
    latest, best        the newest checkpoint, or the one with the highest score, of the game's newest run
    RUN, RUN/best       a run's directory: its newest or best checkpoint
    a directory         a checkpoint
    a file              a policy that `pufferc export` wrote

Shapes: N rows of the pool, n rows of a player, S numbers of memory per row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pufferc import _core, errors
from pufferc.envs.games import Game, env_info, param_name
from pufferc.envs.spaces import GameSpaces
from pufferc.envs.vector import VecEnv
from pufferc.kernels.backend import FUSED, Kernels
from pufferc.policies import Policy, make_head, restart_rows
from pufferc.policies.saved import checkpoint_config, load_policy
from pufferc.runs.checkpoint import find_checkpoint, load_game_checkpoint, load_run_checkpoint
from pufferc.selfplay.settings import SCRIPT
from pufferc.selfplay.table import DRAW_STEP, Seat, World


class Player:
    """Base class of players.

    Attributes:
        name: Names the player in results and messages.
        trained: The world that it was trained in; None if it plays in any world of the game.
    """

    name: str
    trained: World | None = None

    def check(self, world: World) -> None:
        """ValueError if the player cannot play in this world."""
        if self.trained is None:
            return
        own, found = env_info(self.trained.game), env_info(world.game)
        if (own.name, own.version) != (found.name, found.version):
            raise ValueError(
                f"{self.name} was trained on {own.name} version {own.version}, the game is {found.name} version "
                f"{found.version}"
            )
        trained, played = self.trained.spaces(), world.spaces()
        for expected, got in zip(_shapes(trained), _shapes(played), strict=True):
            if expected != got:
                raise ValueError(
                    f"{self.name} was trained with {expected}, but with these parameters the game has {got}"
                )
        if trained.observation_space != played.observation_space:
            raise ValueError(f"{self.name} was trained with other ranges of observations than with these parameters")

    def sit(self, env: VecEnv, rows: NDArray[np.intp], *, seed: int, first_row: int) -> Seat:
        """A seat for these rows of a pool.

        Random draws depend on `seed`, `first_row` and steps only. Players at one table need separate ranges of n
        numbers from `first_row` on.
        """
        raise NotImplementedError


def _shapes(spaces: GameSpaces) -> tuple[str, str]:
    """What a policy sees and does, for messages."""
    seen = spaces.observation_space
    masks = ", with masks" if spaces.masked else ""
    return f"observations of shape {seen.shape}, {seen.dtype}", f"actions {spaces.action_space}{masks}"


# ---- policies ----------------------------------------------------------------------------------------------


class PolicyPlayer(Player):
    """A network, which is not modified.

    Args:
        name: Names the player in results and messages.
        policy: The network, on any device.
        kernels: FUSED or TORCH of pufferc.kernels.backend, for its draws.
        greedy: Take the most probable action instead of sampling.
        trained: The world that it was trained in, to refuse others; None = not checked.
    """

    def __init__(
        self, name: str, policy: Policy, kernels: Kernels, greedy: bool = False, trained: World | None = None
    ) -> None:
        self.name, self.policy, self.kernels, self.greedy, self.trained = name, policy, kernels, greedy, trained

    def sit(self, env: VecEnv, rows: NDArray[np.intp], *, seed: int, first_row: int) -> Seat:
        return _PolicySeat(self, env, rows, {"seed": seed, "first_row": first_row, "greedy": self.greedy})


class _PolicySeat(Seat):
    @torch.no_grad()
    def __init__(self, player: PolicyPlayer, env: VecEnv, rows: NDArray[np.intp], draw: dict[str, Any]) -> None:
        super().__init__(rows)
        self._policy, self._kernels, self._draw = player.policy, player.kernels, draw
        self._head = self._policy.head or make_head(env.single_action_space)
        self._device = next(self._policy.parameters()).device
        self._state = self._policy.initial_state(rows.size, self._device)

    @torch.no_grad()
    def act(self, env: VecEnv, observations: NDArray[Any], step: int) -> NDArray[Any]:
        seen = observations if self.rows.size == env.num_envs else observations[self.rows]
        inputs = torch.from_numpy(seen).to(self._device, self._policy.input_dtype)
        outputs, self._state = self._policy.step(inputs, self._state)
        mask = None
        if env.action_mask is not None:
            mask = torch.from_numpy(env.action_mask[self.rows].view(np.int32)).to(self._device)
        drawn = self._head.sample(self._kernels, outputs.contiguous(), mask=mask, step=DRAW_STEP + step, **self._draw)
        return self._head.env_actions(drawn).cpu().numpy()

    @torch.no_grad()
    def restart(self, over: NDArray[np.bool_]) -> None:
        if self._policy.recurrent and self.rows.size:
            self._state = restart_rows(self._policy, self._state, torch.from_numpy(over[self.rows]).to(self._device))

    def keep(self, kept: NDArray[np.bool_]) -> None:
        at = torch.from_numpy(np.flatnonzero(kept)).to(self._device)
        self._state = tuple(part[at] for part in self._state)
        super().keep(kept)


# ---- scripts -----------------------------------------------------------------------------------------------


class ScriptPlayer(Player):
    """A level of the game's built-in player, see `VecEnv.script`."""

    def __init__(self, level: int) -> None:
        self.level = errors.integer("level", level, 0)
        self.name = f"{SCRIPT}{self.level}"

    def check(self, world: World) -> None:
        info = env_info(world.game)
        if self.level >= info.levels:
            levels = f"the levels 0 to {info.levels - 1}" if info.levels else "no script"
            raise ValueError(f"there is no {self.name}: {info.name} has {levels}")

    def sit(self, env: VecEnv, rows: NDArray[np.intp], *, seed: int, first_row: int) -> Seat:
        return _ScriptSeat(self.level, rows, seed)


class _ScriptSeat(Seat):
    """Draws by row numbers of the pool, which no two players share, in place of a range from `first_row` on."""

    def __init__(self, level: int, rows: NDArray[np.intp], seed: int) -> None:
        super().__init__(rows)
        self._level, self._seed = level, seed

    def act(self, env: VecEnv, observations: NDArray[Any], step: int) -> NDArray[Any]:
        return env.script(self._level, self.rows.tolist(), seed=self._seed, step=DRAW_STEP + step)


# ---- exported policies -------------------------------------------------------------------------------------


class FilePlayer(Player):
    """A policy file of `pufferc export`, played by the C library.

    Args:
        path: The file.
        game: The file's game; a loaded game must be given, because the file has only its name. None = a built-in one.
        greedy: Take the most probable action instead of sampling.

    Raises:
        ValueError: The file cannot be read or is not a policy, or it is of another game.
    """

    def __init__(self, path: Path, game: Game | None = None, greedy: bool = False) -> None:
        self.name, self.greedy = str(path), greedy
        self.policy = _core.Policy(str(path))
        own = self.policy.game
        info = env_info(own if game is None else game)
        if (own, self.policy.game_version) != (info.name, info.version):
            raise ValueError(
                f"{path} is of {own} version {self.policy.game_version}, not of {info.name} version {info.version}"
            )
        params = {param_name(info, key): value for key, value in self.policy.params.items()}
        self.trained = World(info, params, num_threads=1)

    def sit(self, env: VecEnv, rows: NDArray[np.intp], *, seed: int, first_row: int) -> Seat:
        return _FileSeat(self, rows, {"seed": seed, "first_row": first_row, "greedy": self.greedy})


class _FileSeat(Seat):
    def __init__(self, player: FilePlayer, rows: NDArray[np.intp], draw: dict[str, Any]) -> None:
        super().__init__(rows)
        self._policy, self._draw = player.policy, draw
        self._state = np.zeros((rows.size, player.policy.state_size), np.float32)  # [n, S]; 0 = start of an episode

    def act(self, env: VecEnv, observations: NDArray[Any], step: int) -> NDArray[Any]:
        mask = None if env.action_mask is None else env.action_mask[self.rows]
        return self._policy.act(observations[self.rows], mask, self._state, step=DRAW_STEP + step, **self._draw)

    def restart(self, over: NDArray[np.bool_]) -> None:
        self._state[over[self.rows]] = 0.0

    def keep(self, kept: NDArray[np.bool_]) -> None:
        self._state = self._state[kept]
        super().keep(kept)


# ---- by name -----------------------------------------------------------------------------------------------


def load_player(text: str, game: Game, *, runs: Path = Path("runs"), greedy: bool = False) -> Player:
    """The player that `text` names, see the top of this file; its name is `text`.

    Args:
        text: One word.
        game: The game that it must be of.
        runs: The directory in which latest and best look.
        greedy: A policy takes the most probable action instead of sampling.

    Raises:
        ValueError: There is no such player, its files are damaged, or they are of another game.
    """
    player = _load_player(errors.text("player", text), game, runs, greedy)
    player.name = text
    return player


def _load_player(text: str, game: Game, runs: Path, greedy: bool) -> Player:
    if (level := _script_level(text)) is not None:
        return ScriptPlayer(level)
    if Path(text).is_file():
        return FilePlayer(Path(text), game, greedy)
    checkpoint = load_game_checkpoint(find_checkpoint(text, runs, game), game)
    config = checkpoint_config(checkpoint, "cpu")
    policy = load_policy(checkpoint, fused=True)[0]
    trained = World(game, config.env, num_threads=1, data=config.vec.data)
    return PolicyPlayer(text, policy, FUSED, greedy, trained)


def _script_level(text: str) -> int | None:
    """The level in script:LEVEL, None for other words."""
    if not text.startswith(SCRIPT):
        return None
    level = text.removeprefix(SCRIPT)
    if not level.isdecimal():
        raise ValueError(f"player: script:LEVEL needs a number, got {text!r}")
    return int(level)


def game_of_player(text: str) -> str | None:
    """The game that a player's files name; None for a script, and for latest and best, which need a game."""
    if _script_level(text) is not None or text in ("latest", "best"):
        return None
    if Path(text).is_file():
        return _core.Policy(text).game
    checkpoint = load_run_checkpoint(find_checkpoint(text, Path(), ""))
    return str(checkpoint.meta["game"])


def common_world(
    players: Sequence[Player], game: Game, *, params: Mapping[str, Any], data: str | None, num_threads: int
) -> World:
    """The world that all players can play in: that of the first policy's training, with `params` and `data` changed.

    Raises:
        ValueError: Two policies were trained with different values of a parameter that `params` does not set, or a
            player cannot play in this world.
    """
    info = env_info(game)
    defaults = {row.name: row.default for row in info.params}
    policies = [player for player in players if player.trained is not None]
    worlds = [player.trained for player in policies if player.trained is not None]
    base = {**defaults, **worlds[0].params} if worlds else {}
    for player, world in zip(policies[1:], worlds[1:], strict=True):
        own = {**defaults, **world.params}
        for name, value in base.items():
            if name not in params and own[name] != value:
                raise ValueError(
                    f"{player.name} was trained with {name} = {own[name]:g}, {policies[0].name} with {value:g}; "
                    f"give --env.{name.replace('_', '-')} for both"
                )
    if data is None and worlds:
        data = worlds[0].data
    changed = {name: value for name, value in {**base, **params}.items() if value != defaults.get(name)}
    found = World(info, changed, num_threads, data)
    for player in players:
        player.check(found)
    return found
