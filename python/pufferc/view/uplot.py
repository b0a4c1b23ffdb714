"""uPlot, which draws the curves of `pufferc view`: the installed copy, or else one that npm downloads at the first use.

The build runs this file as a program, which puts the library into a folder:

    python uplot.py FOLDER

npm takes the package from the registry it is configured for. Its hash is checked here. This file imports the standard
library only.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VERSION = "1.6.32"
SHA256 = "4b8a8191e425658e3ea8c8c1314b0fc679c861ee3a1af2b20c7b16ba50b5133d"  # of npm's archive
FILES = ("uPlot.iife.min.js", "uPlot.min.css", "LICENSE")
_MEMBERS = {
    "package/dist/uPlot.iife.min.js": FILES[0],
    "package/dist/uPlot.min.css": FILES[1],
    "package/LICENSE": FILES[2],
}
_TIMEOUT_S = 60.0


def read() -> tuple[str, str]:
    """The library's script, after its licence as a comment, and its style.

    OSError, with the remedies, if it is neither installed nor can be downloaded.
    """
    folder = find()
    script, style, licence = ((folder / name).read_text(encoding="utf-8") for name in FILES)
    return f"/* uPlot {VERSION}\n\n{licence}*/\n{script}", style


def find() -> Path:
    """The folder of the library: that of the installed package, or of this user's cache. See `read` for errors."""
    core = importlib.util.find_spec("pufferc._core")  # beside it are the built files of an editable install
    package = [Path(__file__).parents[1], *([Path(core.origin).parent] if core and core.origin else [])]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pufferc" / f"uplot-{VERSION}"
    for folder in (*(place / "view" / "uplot" for place in package), cache):
        if all((folder / name).is_file() for name in FILES):
            return folder
    try:
        download(cache)
    except OSError as error:
        raise OSError(
            f"view: this build of pufferc was installed without uPlot {VERSION}, and it was not downloaded: {error}. "
            f"Install npm and try again, or copy {', '.join(FILES)} of that version to {cache}"
        ) from None
    return cache


def download(folder: Path) -> None:
    """Downloads the pinned version into `folder`, all files or none. OSError says why it failed."""
    npm = shutil.which("npm")
    if npm is None:
        raise OSError("npm is not installed")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as name:
        work = Path(name)
        _pack(npm, work)
        _unpack(work / f"uplot-{VERSION}.tgz", work / "files")
        if folder.exists():
            shutil.rmtree(folder)
        (work / "files").rename(folder)


def _pack(npm: str, work: Path) -> None:
    command = [npm, "pack", "--silent", "--ignore-scripts", f"uplot@{VERSION}"]
    try:
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise OSError(f"npm took longer than {_TIMEOUT_S:.0f} s") from None
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines() or [f"exit code {done.returncode}"]
        raise OSError(f"npm pack failed: {lines[0]}")


def _unpack(archive: Path, folder: Path) -> None:
    data = archive.read_bytes()
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise OSError(f"npm's archive of uPlot {VERSION} does not have the expected hash")
    folder.mkdir()
    with tarfile.open(archive) as tar:
        for member, name in _MEMBERS.items():
            content = tar.extractfile(member)
            assert content is not None
            (folder / name).write_bytes(content.read())


if __name__ == "__main__":
    try:
        download(Path(sys.argv[1]))
    except OSError as problem:
        sys.exit(f"uPlot was not downloaded: {problem}")
