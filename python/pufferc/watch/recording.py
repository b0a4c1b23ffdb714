"""Records a game to a .gif, .png or .mp4 file.

GIF and PNG need Pillow, MP4 needs imageio-ffmpeg; both come with pufferc[render]. A file appears under its name only
when it is complete; until then an existing file stays untouched. A .png holds only the last picture.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pufferc import errors
from pufferc.envs.games import Game
from pufferc.envs.vector import VecEnv
from pufferc.files import expect_folder
from pufferc.pictures.renderer import Renderer, world_size
from pufferc.watch.players import Agent, RandomAgent, choose
from pufferc.watch.video_writers import GifWriter, Mp4Writer, Picture, PngWriter, Writer

__all__ = ["Recorder", "check_recording", "play_and_record", "record"]

_SUFFIXES = (".gif", ".mp4", ".png")
_MAX_STEPS = 100_000
_END_S = 0.6  # how long the end of an episode is shown


class Recorder:
    """Writes pictures to one file.

    Args:
        path: The suffix .gif, .mp4 or .png selects the format. The folder must exist and be writable.
        fps: Pictures per second, in [0.1, 1000].

    Use it as a context manager: a normal exit completes the file; an exception leaves no file behind.

    Raises:
        ValueError: Unknown suffix, or fps out of range.
        OSError: The folder does not exist or is not writable, or `path` is a folder.
        DrawingUnavailable: A package is missing; the message names it.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = 30.0) -> None:
        self.path = Path(path)
        self.pictures = 0
        fps = errors.real("fps", fps, 0.1, 1000.0)
        writers: dict[str, Callable[[Path, float], Writer]] = {
            ".gif": GifWriter,
            ".mp4": Mp4Writer,
            ".png": PngWriter,
        }
        suffix = self.path.suffix.lower()
        if suffix not in writers:
            raise ValueError(f"a recording must end in one of {', '.join(_SUFFIXES)}, got {os.fspath(path)!r}")
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._reserve()
        self._shape: tuple[int, ...] | None = None
        self._open = True
        try:
            self._writer: Writer = writers[suffix](self._temporary, fps)
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise

    def _reserve(self) -> None:
        """Make the temporary file, which shows that the folder is writable."""
        expect_folder(self.path, "record to")
        try:
            if self.path.is_dir():
                raise IsADirectoryError(f"cannot record to {self.path}: it is a folder")
            self._temporary.touch()
        except OSError as error:
            raise self._cannot(error) from None

    def _cannot(self, error: OSError) -> OSError:
        """The error with the recording's name."""
        prefix = f"cannot record to {self.path}: "
        if str(error).startswith(prefix):
            return error
        return type(error)(prefix + (error.strerror or str(error)))

    def add(self, picture: Picture) -> None:
        """Add a picture uint8 [H, W, 3]. All pictures of a recording must have the same size."""
        if not self._open:
            raise RuntimeError(f"the recording {self.path} is closed")
        picture = np.asarray(picture)
        if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
            raise ValueError(f"picture must be uint8 [H, W, 3], got {picture.dtype} {list(picture.shape)}")
        if self._shape is not None and picture.shape != self._shape:
            raise ValueError(f"picture must have shape {self._shape} like the first one, got {picture.shape}")
        self._shape = picture.shape
        try:
            self._writer.add(picture)
        except OSError as error:
            raise self._cannot(error) from None
        self.pictures += 1

    def close(self) -> None:
        """Complete the file. Without pictures there is no file."""
        if not self._open:
            return
        if self.pictures == 0:
            self.abandon()
            return
        self._open = False
        try:
            self._writer.finish()
            self._temporary.replace(self.path)
        except OSError as error:
            raise self._cannot(error) from None
        finally:
            self._temporary.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Discard the recording. An existing file stays as it was."""
        if self._open:
            self._open = False
            self._writer.abandon()
            self._temporary.unlink(missing_ok=True)

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self.close()
        else:
            self.abandon()


def play_and_record(
    recorder: Recorder,
    envs: VecEnv,
    agent: Agent,
    *,
    games: int = 1,
    steps: int,
    episodes: int,
    size: Any = None,
    end_pictures: int = 1,
) -> int:
    """Reset and play until the first game has finished `episodes` episodes, or for `steps` steps; returns the steps.

    `envs` must have autoreset="disabled", so that the end of an episode is visible. A single game in the picture shows
    it for `end_pictures`.
    """
    renderer = Renderer(envs, games=games, size=size)
    observations, _ = envs.reset()
    picture = np.empty((renderer.layout.height, renderer.layout.width, 3), np.uint8)
    recorder.add(renderer.render(picture))
    ended_episodes = 0
    for step in range(1, steps + 1):
        actions, absent = choose(agent, envs, observations).actions, ~envs.alive
        observations, _, terminated, truncated, _ = envs.step(actions)
        recorder.add(renderer.render(picture))
        ended = terminated | truncated
        agent.restart(ended | absent)
        ended_episodes += int(ended[0])
        if games == 1 and ended.all():
            for _ in range(end_pictures - 1):
                recorder.add(picture)
        if ended_episodes >= episodes:
            return step
        if ended.any():
            observations, _ = envs.reset(options={"reset_mask": ended})
    return steps


def check_recording(
    path: str | os.PathLike[str],
    game: Game,
    params: Mapping[str, Any] | None = None,
    *,
    data: str | os.PathLike[str] | None = None,
    max_steps: int = 1,
) -> None:
    """Validates arguments: raises the errors that `record` would raise before playing. Writes nothing."""
    errors.integer("max_steps", max_steps, 1, _MAX_STEPS)
    Recorder(path).abandon()
    envs = VecEnv(game, num_games=1, num_threads=1, seed=0, data=data, params=params)
    try:
        envs.reset()
        world_size(envs)
    finally:
        envs.close()


def record(
    path: str | os.PathLike[str],
    game: Game,
    *,
    agent: Agent | None = None,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
    games: int = 1,
    episodes: int = 1,
    max_steps: int = 1000,
    seed: int = 0,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
) -> Path:
    """Play a game and record it to a file.

    Args:
        path: See `Recorder`.
        game: The game: a name or a path.
        agent: The player; default: random actions.
        params: Parameters of the game.
        data: Path of the file that the game reads, see `pufferc.make`.
        games: Number of games in the picture, in a grid.
        episodes: End the recording when the first game has finished this many episodes.
        max_steps: End the recording after this many steps.
        seed: Seed of the games and of random actions.
        fps: Steps per second; default: the game's fps.
        size: Size of the pictures, see `Renderer`.

    Returns:
        The file's path.
    """
    steps = errors.integer("max_steps", max_steps, 1, _MAX_STEPS)
    episodes = errors.integer("episodes", episodes, 1)
    envs = VecEnv(game, num_games=games, num_threads=1, seed=seed, autoreset="disabled", data=data, params=params)
    try:
        rate = envs.fps if fps is None else fps
        with Recorder(path, rate) as recorder:
            play_and_record(
                recorder,
                envs,
                agent or RandomAgent(envs, seed),
                games=games,
                steps=steps,
                episodes=episodes,
                size=size,
                end_pictures=max(1, round(_END_S * rate)),
            )
    finally:
        envs.close()
    return Path(path)
