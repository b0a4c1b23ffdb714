"""`pufferc build mygame.c` prints and runs one compiler command, which makes mygame.so from a game's source.

    cc -O3 -shared -fPIC mygame.c $(python -m pufferc --cflags) -o mygame.so

does the same without this module. This module adds warnings, and the linker refuses undefined names. With --debug the
file is mygame.debug.so, built with AddressSanitizer and UBSan for `pufferc check`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from pufferc.authoring import sdk

__all__ = ["BuildError", "build", "command", "compile_game", "compiler"]

_RELEASE = ("-O3",)
_DEBUG = ("-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined", "-fno-sanitize-recover=undefined")
_WARNINGS = ("-Wall", "-Wextra", "-Wcast-qual")  # actions and parameters are const: a cast that drops it is a mistake


class BuildError(RuntimeError):
    """The compiler is missing, or failed; the message contains its output."""


def compiler(given: str | None = None) -> list[str]:
    """The C compiler as words of a command: `given`, $CC, or the first of cc, gcc and clang that exists."""
    for words in ([given or ""], [os.environ.get("CC", "")], ["cc"], ["gcc"], ["clang"]):
        found = shlex.split(words[0])
        if found and shutil.which(found[0]):
            return found
        if found and words[0] == given:
            raise BuildError(f"no compiler {given!r} on this machine")
    raise BuildError("no C compiler on this machine (cc, gcc or clang); install one, for example: apt-get install gcc")


def command(source: Path, out: Path, *, debug: bool = False, cc: str | None = None) -> list[str]:
    """The words of the compiler command. Raises BuildError if there is no compiler."""
    # The functions of sanitizers are undefined here: the process that loads the game has them.
    strict = ["-Wl,-z,defs"] if sys.platform.startswith("linux") and not debug else []
    flags = [*(_DEBUG if debug else _RELEASE), *_WARNINGS, "-shared", "-fPIC"]
    return [*compiler(cc), *flags, str(source), *sdk.cflags(), *strict, "-lm", "-o", str(out)]


def default_output(source: Path, debug: bool) -> Path:
    """mygame.so or mygame.debug.so beside mygame.c."""
    return source.with_suffix(".debug.so" if debug else ".so")


def build(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    debug: bool = False,
    cc: str | None = None,
) -> Path:
    """Compiles a game.

    Args:
        source: The C file.
        out: The shared object to write; default: beside the source.
        debug: With AddressSanitizer and UBSan, for `pufferc check`.
        cc: The compiler; default: $CC, else cc.

    Returns:
        The shared object's path, for `pufferc.make`. The file is replaced atomically: processes that loaded the old
        one keep it.

    Raises:
        BuildError: The message has the compiler's output. An older shared object is not changed.
    """
    text, _ = compile_game(Path(source), None if out is None else Path(out), debug, cc, show=False)
    return text


def compile_game(source: Path, out: Path | None, debug: bool, cc: str | None, show: bool) -> tuple[Path, str]:
    """The shared object that was made from `source`, and the compiler's warnings; `show` prints the command."""
    if source.suffix != ".c" or not source.is_file():
        why = "expected a C source, mygame.c" if source.is_file() else "no such file"
        other = source.with_suffix(".c")
        hint = f"; did you mean {other}?" if other != source and other.is_file() else ""
        raise BuildError(f"{source}: {'is not a file' if source.is_dir() else why}{hint}")
    target = out or default_output(source, debug)
    # The file has a temporary name until it is complete. The printed command has the final name.
    part = target.with_name(f".{target.name}.{os.getpid()}")
    if show:
        print(shlex.join(command(source, target, debug=debug, cc=cc)), flush=True)
    try:
        result = subprocess.run(
            command(source, part, debug=debug, cc=cc), capture_output=True, text=True, errors="replace", check=False
        )
        if result.returncode != 0:
            raise BuildError(f"{source}: the compiler failed:\n{result.stderr.rstrip()}")
        part.replace(target)
    except OSError as error:
        raise BuildError(f"{target}: cannot be written: {error.strerror}") from None
    finally:
        part.unlink(missing_ok=True)
    return target, result.stderr
