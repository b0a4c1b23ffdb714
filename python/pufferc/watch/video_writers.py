"""The formats of recordings: GIF, PNG and MP4, each written to a file from pictures uint8 [H, W, 3] of one size.

GIF and PNG need Pillow, MP4 needs imageio-ffmpeg. `pufferc.watch.recording.Recorder` checks names and sizes and handles
failures.
"""

from __future__ import annotations

import contextlib
import re
import subprocess
import tempfile
import zlib
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from pufferc.pictures.renderer import DrawingUnavailable

__all__ = ["GifWriter", "Mp4Writer", "Picture", "PngWriter", "Writer", "why_no_mp4"]

Picture = NDArray[np.uint8]

_PALETTE_PICTURES = 24  # number of pictures that determine a GIF's palette,
_FIRST_PICTURES = 240  # spread over this many first pictures
_UNCHANGED = 255  # palette index of unchanged pixels
_MIN_CS = 2  # hundredths of a second; GIF viewers slow down shorter frames


class Writer(Protocol):
    """Writes one file. The constructor takes its path and the pictures per second."""

    def add(self, picture: Picture) -> None:
        """Add a picture. The caller may overwrite it afterwards."""

    def finish(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Release all resources. The caller removes the file."""


def missing(package: str, what: str) -> DrawingUnavailable:
    return DrawingUnavailable(f"{what} needs {package}; install it with: pip install 'pufferc[render]'")


class GifWriter:
    """Uses one palette for all pictures and stores only the changed part of each. Pillow encodes.

    Pillow's own multi-picture save keeps all pictures in memory, so frames are written one by one. The palette is
    chosen from the first pictures, which are kept compressed until then. Start times are rounded to hundredths of a
    second from the picture's number, so the pace does not drift. Pictures that would be shown for less than two
    hundredths, as at 60 pictures per second, are skipped, because viewers would slow them down.
    """

    def __init__(self, path: Path, fps: float) -> None:
        try:
            from PIL import GifImagePlugin, Image
        except ImportError:
            raise missing("Pillow", "a GIF") from None
        self._gif, self._image = GifImagePlugin, Image
        self._path, self._fps = path, fps
        self._file: BinaryIO | None = None
        self._first: list[tuple[bytes, tuple[int, ...]]] = []  # compressed pictures from before the palette was chosen
        self._palette: Any = None
        self._count = 0  # number of palette pictures so far
        self._shown: NDArray[np.uint8] | None = None  # palette indices [H, W] of the next picture to write
        self._part: Any = None  # its changed part, with corner and start time
        self._corner, self._began_cs = (0, 0), 0
        self._left_out: NDArray[np.uint8] | None = None  # the latest picture, if it was skipped

    def add(self, picture: Picture) -> None:
        if self._palette is not None:
            self._add_indexed(self._reduce(picture))
            return
        self._first.append((zlib.compress(picture.tobytes(), 1), picture.shape))
        if len(self._first) == _FIRST_PICTURES:
            self._begin()

    def _begin(self) -> None:
        """Choose the palette and write the first pictures."""
        pictures = [self._unpack(packed) for packed in self._first[:: -(-len(self._first) // _PALETTE_PICTURES)]]
        sheet = self._image.fromarray(np.concatenate(pictures))
        # An octree keeps rare but distinct colours; median cut would not.
        method, dither = self._image.Quantize.FASTOCTREE, self._image.Dither.NONE
        chosen = sheet.quantize(_UNCHANGED, method=method, dither=dither).getpalette() or []
        free = _UNCHANGED + 1 - len(chosen[: 3 * _UNCHANGED]) // 3
        self._palette = self._image.new("P", (pictures[0].shape[1], pictures[0].shape[0]))
        self._palette.putpalette(chosen[: 3 * _UNCHANGED] + free * chosen[:3])  # no free entries
        self._file = self._path.open("wb")
        self._file.writelines(self._gif.getheader(self._palette, info={"loop": 0})[0])  # loops forever
        first, self._first = self._first, []
        for packed in first:
            self._add_indexed(self._reduce(self._unpack(packed)))

    def _unpack(self, packed: tuple[bytes, tuple[int, ...]]) -> Picture:
        return np.frombuffer(zlib.decompress(packed[0]), np.uint8).reshape(packed[1])

    def _reduce(self, picture: Picture) -> NDArray[np.uint8]:
        """The picture's colours as palette indices, uint8 [H, W]."""
        image = self._image.fromarray(picture).quantize(palette=self._palette, dither=self._image.Dither.NONE)
        indexed = np.asarray(image)
        return np.where(indexed == _UNCHANGED, np.uint8(0), indexed)

    def _due_cs(self, number: int) -> int:
        return round(100.0 * number / self._fps)

    def _add_indexed(self, indexed: NDArray[np.uint8]) -> None:
        now_cs = self._due_cs(self._count)
        self._count += 1
        self._left_out = None
        if self._shown is None:
            self._shown, self._part = indexed, self._image.fromarray(indexed)
        elif now_cs - self._began_cs < _MIN_CS:
            self._left_out = indexed
        elif (indexed != self._shown).any():
            self._show(indexed, now_cs)

    def _show(self, indexed: NDArray[np.uint8], now_cs: int) -> None:
        """Write the picture that was shown until now, and start the next one."""
        changed = indexed != self._shown
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        part = np.s_[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
        self._write_shown(now_cs)
        self._shown, self._corner, self._began_cs = indexed, (left, top), now_cs
        self._part = self._image.fromarray(np.where(changed[part], indexed[part], np.uint8(_UNCHANGED)))

    def _write_shown(self, until_cs: int) -> None:
        """Write the shown picture with its end time."""
        assert self._file is not None
        duration_ms = 10 * min(max(until_cs - self._began_cs, _MIN_CS), 0xFFFF)
        options = {
            "duration": duration_ms,
            "transparency": _UNCHANGED,
            "disposal": 1,
        }  # 1: the next picture is drawn over it
        self._file.writelines(self._gif.getdata(self._part, self._corner, **options))

    def finish(self) -> None:
        if self._palette is None:
            self._begin()
        assert self._file is not None
        end_cs = max(self._due_cs(self._count), self._began_cs + _MIN_CS)
        if self._left_out is not None and (self._left_out != self._shown).any():
            self._show(self._left_out, end_cs)
            end_cs += _MIN_CS
        self._write_shown(end_cs)
        self._file.write(b";")  # a GIF's last byte
        self._file.close()

    def abandon(self) -> None:
        self._first = []
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk, again
                self._file.close()


class PngWriter:
    """Only the last picture."""

    def __init__(self, path: Path, fps: float) -> None:
        try:
            from PIL import Image
        except ImportError:
            raise missing("Pillow", "a PNG") from None
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
    """Why MP4 files cannot be written here, or None."""
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped,import-not-found,unused-ignore]

        imageio_ffmpeg.get_ffmpeg_exe()
    except ImportError:
        return str(missing("imageio-ffmpeg", "an MP4"))
    except RuntimeError as error:
        return f"an MP4 needs ffmpeg: {error}"
    return None


class Mp4Writer:
    """H.264 by imageio-ffmpeg's ffmpeg program, which starts with the first picture because it needs the size.

    imageio_ffmpeg.write_frames is not used because it does not report failures.
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

        even = f"scale={width + width % 2}:{height + height % 2}"  # the pixel format needs even sides
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", f"{self._fps:.6f}", "-i", "-"]
        h264 = ["-an", "-vf", even, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "16", "-movflags", "+faststart"]
        return subprocess.Popen(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *raw, *h264, "-f", "mp4", str(self._path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._messages,
            start_new_session=True,  # so that only this process gets Ctrl-C
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
        """The first line of ffmpeg's messages, without its component prefix."""
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
            self._ffmpeg.kill()  # does nothing if it has ended
            with contextlib.suppress(BrokenPipeError):
                self._ffmpeg.stdin.close()  # type: ignore[union-attr]
            self._ffmpeg.wait()
        self._messages.close()
