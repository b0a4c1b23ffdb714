"""The formats of recordings: GIF, PNG and MP4, each written to a file from pictures uint8 [H, W, 3] of one size.

GIF and PNG need Pillow, MP4 needs imageio-ffmpeg. `pufferc.record.Recorder` looks after names, sizes and failures.
"""

from __future__ import annotations

import contextlib
import io
import re
import struct
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

_PALETTE_PICTURES = 24  # pictures that a GIF's one palette is made from,
_HELD_PICTURES = 240  # spread over the first this many
_UNCHANGED = 255  # palette index of pixels that a GIF keeps from the picture before
_LEAST_CS = 2  # hundredths of a second that viewers of GIFs show a picture at least


class Writer(Protocol):
    """Writes one file; made with its path and pictures per second."""

    def add(self, picture: Picture) -> None:
        """Take in a picture; it may be overwritten afterwards."""

    def finish(self) -> None:
        """Complete the file."""

    def abandon(self) -> None:
        """Let go of everything; the file is removed afterwards."""


def missing(package: str, what: str) -> DrawingUnavailable:
    return DrawingUnavailable(f"{what} needs {package}; install it with: pip install 'pufferc[render]'")


class GifWriter:
    """One palette for all pictures, and of each picture only the part that changed.

    The palette is chosen from the first pictures, which are held back for it, packed; the rest is reduced to it and
    written as it comes, so that memory does not grow. A picture is shown from the hundredth of a second that its number
    gives, which keeps the pace; what would be shown for less than two, as of 60 pictures a second, is left out, since
    viewers would slow it down.
    """

    def __init__(self, path: Path, fps: float) -> None:
        try:
            from PIL import Image
        except ImportError:
            raise missing("Pillow", "a GIF") from None
        self._image = Image
        self._path, self._fps = path, fps
        self._file: BinaryIO | None = None
        self._held: list[tuple[bytes, tuple[int, ...]]] = []
        self._palette: Any = None
        self._count = 0  # pictures so far
        self._shown: NDArray[np.uint8] | None = None  # the one shown last, by this part of the file
        self._part, self._corner, self._began_cs = b"", (0, 0, 0, 0), 0
        self._left_out: NDArray[np.uint8] | None = None  # the latest picture, if it was

    def add(self, picture: Picture) -> None:
        if self._palette is not None:
            self._add_indexed(self._reduce(picture))
            return
        self._held.append((zlib.compress(picture.tobytes(), 1), picture.shape))
        if len(self._held) == _HELD_PICTURES:
            self._begin()

    def _begin(self) -> None:
        """Choose the palette and begin the file; then what was held back."""
        pictures = [self._unpack(held) for held in self._held[:: -(-len(self._held) // _PALETTE_PICTURES)]]
        sheet = self._image.fromarray(np.concatenate(pictures))
        # An octree keeps colours that are few but far from the others; cutting by numbers of pixels would not.
        method, dither = self._image.Quantize.FASTOCTREE, self._image.Dither.NONE
        chosen = sheet.quantize(_UNCHANGED, method=method, dither=dither).getpalette() or []
        free = _UNCHANGED + 1 - len(chosen[: 3 * _UNCHANGED]) // 3
        colors = bytes(chosen[: 3 * _UNCHANGED] + free * chosen[:3])  # the first colour at every place that is free
        self._palette = self._image.new("P", (1, 1))
        self._palette.putpalette(colors)
        height, width = pictures[0].shape[:2]
        self._file = self._path.open("wb")
        self._file.write(b"GIF89a" + struct.pack("<HHBBB", width, height, 0xF7, 0, 0) + colors)
        self._file.write(b"!\xff\x0bNETSCAPE2.0\x03\x01\0\0\0")  # for ever
        held, self._held = self._held, []
        for one in held:
            self._add_indexed(self._reduce(self._unpack(one)))

    def _unpack(self, held: tuple[bytes, tuple[int, ...]]) -> Picture:
        return np.frombuffer(zlib.decompress(held[0]), np.uint8).reshape(held[1])

    def _reduce(self, picture: Picture) -> NDArray[np.uint8]:
        """The picture's colours as places in the palette, uint8 [H, W]."""
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
            self._show(indexed, indexed, 0)
        elif now_cs - self._began_cs < _LEAST_CS:
            self._left_out = indexed
        elif (indexed != self._shown).any():
            self._show_change(self._shown, indexed, now_cs)

    def _show_change(self, before: NDArray[np.uint8], indexed: NDArray[np.uint8], now_cs: int) -> None:
        changed = indexed != before
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        top, left = int(rows[0]), int(columns[0])
        part = np.s_[top : int(rows[-1]) + 1, left : int(columns[-1]) + 1]
        self._write_shown(now_cs)
        self._show(indexed, np.where(changed[part], indexed[part], np.uint8(_UNCHANGED)), now_cs, left, top)

    def _show(
        self, indexed: NDArray[np.uint8], part: NDArray[np.uint8], now_cs: int, left: int = 0, top: int = 0
    ) -> None:
        self._shown, self._began_cs = indexed, now_cs
        self._part, self._corner = self._packed(part), (left, top, part.shape[1], part.shape[0])

    def _packed(self, part: NDArray[np.uint8]) -> bytes:
        """Palette indices [H, W] as GIF packs them: what Pillow writes for them after all headers."""
        image, file = self._image.fromarray(part), io.BytesIO()
        image.putpalette(self._palette.getpalette())
        image.save(file, "GIF", optimize=False, interlace=0)
        data = file.getvalue()
        at = 13 + (3 << (data[10] & 7) + 1)
        while data[at] == 0x21:  # extensions
            at += 2
            while data[at]:
                at += data[at] + 1
            at += 1
        flags = data[at + 9]
        return data[at + 10 + (3 << (flags & 7) + 1 if flags & 0x80 else 0) : -1]

    def _write_shown(self, until_cs: int) -> None:
        """Write the picture that is shown until then."""
        assert self._file is not None
        duration = min(max(until_cs - self._began_cs, _LEAST_CS), 0xFFFF)
        control = struct.pack("<3sBHBB", b"!\xf9\x04", 0x05, duration, _UNCHANGED, 0)
        self._file.write(control + struct.pack("<cHHHHB", b",", *self._corner, 0) + self._part)

    def finish(self) -> None:
        if self._palette is None:
            self._begin()
        assert self._file is not None and self._shown is not None
        end_cs = max(self._due_cs(self._count), self._began_cs + _LEAST_CS)
        if self._left_out is not None and (self._left_out != self._shown).any():
            self._show_change(self._shown, self._left_out, end_cs)
            end_cs += _LEAST_CS
        self._write_shown(end_cs)
        self._file.write(b";")
        self._file.close()

    def abandon(self) -> None:
        self._held = []
        if self._file is not None:
            with contextlib.suppress(OSError):  # a full disk, again
                self._file.close()


class PngWriter:
    """The last picture alone."""

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
    """Why MP4 files cannot be written here, None where they can."""
    try:
        import imageio_ffmpeg  # type: ignore[import-untyped,import-not-found,unused-ignore]

        imageio_ffmpeg.get_ffmpeg_exe()
    except ImportError:
        return str(missing("imageio-ffmpeg", "an MP4"))
    except RuntimeError as error:
        return f"an MP4 needs ffmpeg: {error}"
    return None


class Mp4Writer:
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
        h264 = ["-an", "-vf", even, "-c:v", "libx264", "-pix_fmt", "yuv420p", "-crf", "16", "-movflags", "+faststart"]
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
