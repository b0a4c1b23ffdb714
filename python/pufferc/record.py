"""Recordings: pictures of a game being played, written to a .gif, .png or .mp4 file.

GIF and PNG need Pillow, MP4 needs imageio-ffmpeg; both come with pufferc[render]. A file appears under its name when it
is complete; whatever goes wrong before that leaves what was there untouched. A .png holds the last picture alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pufferc import _errors
from pufferc.agents import Agent, RandomAgent
from pufferc.registration import Game
from pufferc.render import DrawingUnavailable, Renderer, drawing_module, frames_per_second, world_size
from pufferc.vector import VecEnv

__all__ = ["Recorder", "check_recording", "play_and_record", "record"]

Picture = NDArray[np.uint8]

_SUFFIXES = (".gif", ".mp4", ".png")
_PALETTE_PICTURES = 24  # pictures that a GIF's one palette is made from
_UNCHANGED = 255  # palette index of pixels that a GIF keeps from the picture before
_MAX_STEPS = 100_000


class _Writer(Protocol):
    def add(self, picture: Picture) -> None:
        """Take in a picture; it may be overwritten afterwards."""

    def finish(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of everything; the file is removed afterwards."""


def _missing(package: str, what: str) -> DrawingUnavailable:
    return DrawingUnavailable(f"{what} needs {package}; install it with: pip install 'pufferc[render]'")


class _GifWriter:
    """One palette for all pictures, and only the pixels that changed.

    The palette is chosen from the first pictures, which are held back for it; the rest is reduced to it as it comes.
    """

    def __init__(self, path: Path, fps: float) -> None:
        try:
            from PIL import Image
        except ImportError:
            raise _missing("Pillow", "a GIF") from None
        self._image = Image
        self._path = path
        self._duration_ms = max(20, round(100.0 / fps) * 10)  # GIF counts in hundredths, and 10 ms is shown slower
        self._held: list[Any] = []
        self._palette: Any = None
        self._frames: list[Any] = []
        self._before: NDArray[np.uint8] | None = None

    def add(self, picture: Picture) -> None:
        image = self._image.fromarray(picture.copy())
        if self._palette is not None:
            self._reduce(image)
            return
        self._held.append(image)
        if len(self._held) == _PALETTE_PICTURES:
            self._choose_palette()

    def _choose_palette(self) -> None:
        width, height = self._held[0].size
        sheet = self._image.new("RGB", (width, height * len(self._held)))
        for i, image in enumerate(self._held):
            sheet.paste(image, (0, i * height))
        method, dither = self._image.Quantize.MEDIANCUT, self._image.Dither.NONE
        self._palette = sheet.quantize(_UNCHANGED, method=method, dither=dither)
        held, self._held = self._held, []
        for image in held:
            self._reduce(image)

    def _reduce(self, image: Any) -> None:
        indexed = np.asarray(image.quantize(palette=self._palette, dither=self._image.Dither.NONE))
        shown = indexed if self._before is None else np.where(indexed == self._before, np.uint8(_UNCHANGED), indexed)
        self._before = indexed
        frame = self._image.fromarray(shown)
        frame.putpalette(self._palette.getpalette())
        self._frames.append(frame)

    def finish(self) -> None:
        if self._palette is None:
            self._choose_palette()
        first, *rest = self._frames
        first.save(
            self._path,
            format="GIF",
            save_all=True,
            append_images=rest,
            duration=self._duration_ms,
            loop=0,
            transparency=_UNCHANGED,
            disposal=1,
            optimize=False,
        )

    def abandon(self) -> None:
        self._frames, self._held = [], []


class _PngWriter:
    def __init__(self, path: Path, fps: float) -> None:
        try:
            from PIL import Image
        except ImportError:
            raise _missing("Pillow", "a PNG") from None
        self._image = Image
        self._path = path
        self._last: Any = None

    def add(self, picture: Picture) -> None:
        self._last = picture.copy()

    def finish(self) -> None:
        self._image.fromarray(self._last).save(self._path, format="PNG", optimize=True)

    def abandon(self) -> None:
        self._last = None


def why_no_mp4() -> str | None:
    """Why MP4 files cannot be written here, None where they can."""
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped,import-not-found,unused-ignore]

        imageio_ffmpeg.get_ffmpeg_exe()
    except ImportError:
        return str(_missing("imageio-ffmpeg", "an MP4"))
    except RuntimeError as error:
        return f"an MP4 needs ffmpeg: {error}"
    return None


class _Mp4Writer:
    """H.264 by the ffmpeg program that imageio-ffmpeg brings. Starts with the first picture, whose size counts.

    The program is run here and not by imageio_ffmpeg.write_frames, which does not tell whether it succeeded.
    """

    def __init__(self, path: Path, fps: float) -> None:
        missing = why_no_mp4()
        if missing:
            raise DrawingUnavailable(missing)
        self._path = path
        self._fps = fps
        self._ffmpeg: subprocess.Popen[bytes] | None = None
        self._messages = tempfile.TemporaryFile()  # noqa: SIM115 - closed when the writer is done

    def _start(self, width: int, height: int) -> subprocess.Popen[bytes]:
        import imageio_ffmpeg

        even = f"scale={width + width % 2}:{height + height % 2}"  # as the pixel format wants it
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self._fps:.6f}", "-i", "-"]
        h264 = ["-an", "-vf", even, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "10", "-movflags", "+faststart"]
        return subprocess.Popen(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *raw, *h264, "-f", "mp4", str(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            start_new_session=True,  # Ctrl-C is for this process to handle
        )

    def add(self, picture: Picture) -> None:
        if self._ffmpeg is None:
            self._ffmpeg = self._start(picture.shape[1], picture.shape[0])
        assert self._ffmpeg.stdin is not None
        try:
            self._ffmpeg.stdin.write(picture.tobytes())
        except BrokenPipeError:
            raise OSError(self._why()) from None

    def _why(self) -> str:
        """What ffmpeg said first, without the part of it that said so."""
        assert self._ffmpeg is not None
        code = self._ffmpeg.wait()
        self._messages.seek(0)
        said = self._messages.read(4096).decode(errors="replace").strip().splitlines()
        return "ffmpeg failed: " + (re.sub(r"^\[.*?\] ", "", said[0]) if said else f"exit status {code}")

    def finish(self) -> None:
        assert self._ffmpeg is not None and self._ffmpeg.stdin is not None
        try:
            with contextlib.suppress(BrokenPipeError):
                self._ffmpeg.stdin.close()
            if self._ffmpeg.wait() != 0:
                raise OSError(self._why())
        finally:
            self.abandon()

    def abandon(self) -> None:
        if self._ffmpeg is not None:
            self._ffmpeg.kill()  # nothing where it has ended
            with contextlib.suppress(BrokenPipeError):
                self._ffmpeg.stdin.close()  # type: ignore[union-attr]
            self._ffmpeg.wait()
        self._messages.close()


class Recorder:
    """Writes pictures to one file.

    Args:
        path: Ends in .gif, .mp4 or .png, which decides the format. Its folder must exist and be writable.
        fps: Pictures per second, in [0.1, 1000].

    Use it as a context manager: leaving it completes the file; leaving it by an exception leaves no file behind.

    Raises:
        ValueError: Another ending, or fps out of range.
        OSError: The folder is not there or cannot be written to, or `path` is a folder.
        DrawingUnavailable: A package is missing; the message names it.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float = 30.0) -> None:
        self.path = Path(path)
        self.pictures = 0
        fps = _errors.real("fps", fps, 0.1, 1000.0)
        writers: dict[str, Callable[[Path, float], _Writer]] = {
            ".gif": _GifWriter,
            ".mp4": _Mp4Writer,
            ".png": _PngWriter,
        }
        suffix = self.path.suffix.lower()
        if suffix not in writers:
            raise ValueError(f"a recording must end in one of {', '.join(_SUFFIXES)}, got {os.fspath(path)!r}")
        self._temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._reserve()
        self._shape: tuple[int, ...] | None = None
        self._open = True
        try:
            self._writer: _Writer = writers[suffix](self._temporary, fps)
        except BaseException:
            self._temporary.unlink(missing_ok=True)
            raise

    def _reserve(self) -> None:
        """Make the temporary file, which shows that the place can be written to."""
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"cannot record to {self.path}: there is no folder {self.path.parent}")
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
        """Add a picture uint8 [H, W, 3]; all of one recording have one size."""
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
        """Complete the file. Without a picture there is none."""
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
        """Give up: no file appears, and one that was there stays as it was."""
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
    recorder: Recorder, envs: VecEnv, agent: Agent, *, games: int = 1, steps: int, episodes: int, size: Any = None
) -> int:
    """Reset, play until the first game has ended `episodes` episodes, or for `steps` steps; how many were played."""
    renderer = Renderer(envs, games=games, size=size)
    observations, _ = envs.reset()
    picture = np.empty((renderer.layout.height, renderer.layout.width, 3), np.uint8)
    recorder.add(renderer.render(picture))
    ended_episodes = 0
    for step in range(1, steps + 1):
        actions, absent = agent.act(observations).actions, ~envs.alive
        observations, _, terminated, truncated, _ = envs.step(actions)
        recorder.add(renderer.render(picture))
        ended = terminated | truncated
        agent.restart(ended | absent)
        ended_episodes += int(ended[0])
        if ended_episodes >= episodes:
            return step
    return steps


def check_recording(
    path: str | os.PathLike[str], game: Game, params: Mapping[str, Any] | None = None, *, max_steps: int = 1
) -> None:
    """Raises what `record` with these arguments would raise before it plays, and writes nothing."""
    _errors.integer("max_steps", max_steps, 1, _MAX_STEPS)
    Recorder(path).abandon()
    drawing_module("headless")
    envs = VecEnv(game, num_games=1, num_threads=1, seed=0, params=params)
    try:
        envs.reset()
        world_size(envs._pool)
    finally:
        envs.close()


def record(
    path: str | os.PathLike[str],
    game: Game,
    *,
    agent: Agent | None = None,
    params: Mapping[str, Any] | None = None,
    games: int = 1,
    episodes: int = 1,
    max_steps: int = 1000,
    seed: int = 0,
    fps: float | None = None,
    size: tuple[int, int] | None = None,
) -> Path:
    """Play a game and write what is seen to a file.

    Args:
        path: See `Recorder`.
        game: The game: a name or a path.
        agent: Who plays; default: at random.
        params: Parameters of the game.
        games: Games played and shown at once, in a grid.
        episodes: The recording ends when the first game has ended this many,
        max_steps: or after this many steps.
        seed: Of the games, and of an agent that plays at random.
        fps: Steps shown per second; default: as the game is meant to look.
        size: Of the pictures, see `Renderer`.

    Returns:
        The file's path.
    """
    steps = _errors.integer("max_steps", max_steps, 1, _MAX_STEPS)
    episodes = _errors.integer("episodes", episodes, 1)
    envs = VecEnv(game, num_games=games, num_threads=1, seed=seed, params=params)
    try:
        rate = frames_per_second(envs) if fps is None else fps
        with Recorder(path, rate) as recorder:
            play_and_record(
                recorder, envs, agent or RandomAgent(envs, seed), games=games, steps=steps, episodes=episodes, size=size
            )
    finally:
        envs.close()
    return Path(path)
