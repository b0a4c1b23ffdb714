"""`pufferc check ./mygame.so`: is this game sound? Plain words: what was seen, where, why it matters, what to change.

The checks are those that the built-in games get (csrc/conformance/). They run in a process of their own, so that a game
that crashes or never returns is a finding like any other.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pufferc import errors
from pufferc.authoring.build import build
from pufferc.authoring.check_process import play_in_process
from pufferc.authoring.check_texts import IMPORTS, TEXTS
from pufferc.envs import game_library
from pufferc.envs.elf import Elf, ElfError
from pufferc.files import read_file

__all__ = ["Finding", "Report", "check"]

_HANG_S = 15.0  # without a finished call of the game
_ORDER = {"error": 0, "warning": 1, "note": 2}
# How bad it is that a game uses these functions of the C library; the others are errors.
_IMPORT_WARNINGS = {"import_files", "import_math"}


@dataclass(frozen=True)
class Finding:
    """One thing that was found.

    `severity` is "error" (the contract is broken), "warning" (allowed, but surely not what was meant) or "note". `code`
    names the promise, `subject` the observation, metric or function. `game`, `agent` and `step` say where it was first
    seen, None where that means nothing; step 0 is the reset.
    """

    severity: Literal["error", "warning", "note"]
    code: str
    seen: str
    subject: str = ""
    game: int | None = None
    agent: int | None = None
    step: int | None = None

    @property
    def why(self) -> str:
        """Why it matters."""
        return TEXTS[self.code][0]

    @property
    def fix(self) -> str:
        """What to change."""
        return TEXTS[self.code][1]

    def where(self) -> str:
        """In words, game 3, step 17; or nothing."""
        parts = [f"{name} {value}" for name in ("game", "agent", "step") if (value := getattr(self, name)) is not None]
        return ", ".join(parts)

    def __str__(self) -> str:
        where = f"  (first in {self.where()})" if self.where() else ""
        lines = [f"{self.severity}: {self.seen}{where}"]
        if self.severity != "note" or self.why:
            lines += [f"  why: {self.why}", f"  fix: {self.fix}"]
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """Everything that was found in a game, errors first. `ok`: no errors."""

    game: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.count("error")

    def count(self, severity: str) -> int:
        """How many findings there are of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def __str__(self) -> str:
        verdict = "not sound" if not self.ok else "sound, with warnings" if self.count("warning") else "sound"
        numbers = f"{self.count('error')} errors, {self.count('warning')} warnings"
        return "\n\n".join([*map(str, self.findings), f"{self.game}: {verdict} ({numbers})"])

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as --json prints them."""
        found = [{**asdict(finding), "why": finding.why, "fix": finding.fix} for finding in self.findings]
        return {"game": self.game, "ok": self.ok, "findings": found}


def check(
    game: str | os.PathLike[str],
    *,
    params: Mapping[str, Any] | None = None,
    data: str | os.PathLike[str] | None = None,
    debug: bool = False,
    hang_s: float = _HANG_S,
) -> Report:
    """Plays a game at random, in a process of its own, and reports what is wrong with it. Some seconds.

    Args:
        game: Path of a shared object or of its C source, which is then built first; or the name of a built-in game.
        params: Parameters of the game.
        data: Path of a file that the game reads, such as a map.
        debug: Build the source (mygame.c beside mygame.so) with AddressSanitizer and UBSan, and check that: mistakes in
            memory and arithmetic are then named with their line.
        hang_s: Seconds without a finished call of the game, after which it is taken to hang.

    Raises:
        ValueError: ModuleError for what cannot be loaded as a game; unknown parameters; data that the game refuses.
        OSError: The file cannot be read.
        BuildError: The source does not compile.
    """
    values = errors.game_params(params or {})
    text = os.fspath(game)
    with tempfile.TemporaryDirectory(prefix="pufferc-check-") as folder:
        place = text
        if debug or text.endswith(".c"):
            place = str(_build(text, Path(folder), debug))
        elf = _read_elf(place)
        played = play_in_process(place, values, data, Path(folder), hang_s)
    found = [Finding(**finding) for finding in played.findings]
    if elf is not None:
        found = [_named(finding, address, elf) for finding, address in zip(found, played.addresses, strict=True)]
        found += _look_at_imports(elf, owns_memory=not played.can_save)
    return Report(text, tuple(sorted(found, key=lambda finding: _ORDER[finding.severity])))


def _build(text: str, folder: Path, debug: bool) -> Path:
    source = Path(text).with_suffix(".c") if game_library.is_path(text) else Path(text)
    if source.suffixes[:-1] == [".debug"]:  # mygame.debug.so comes of mygame.c
        source = source.with_name(source.name.replace(".debug", ""))
    if source.suffix != ".c":
        raise ValueError(f"debug: {text} is built in; give the path of a game's shared object or source")
    return build(source, folder / f"{source.stem}.so", debug=debug)


def _read_elf(place: str) -> Elf | None:
    """The file of a loaded game; None for built-in ones, and where files have another format."""
    if not game_library.is_path(place):
        return None
    try:
        return Elf(read_file(Path(place)))
    except (OSError, ElfError):
        return None  # loading says it better


def _named(finding: Finding, address: int, elf: Elf) -> Finding:
    """A finding about a variable with the variable's name, where the file still has it."""
    if not address:
        return finding
    for variable in elf.variables():
        if variable.address <= address < variable.address + variable.size_bytes:
            name = variable.name.partition(".")[0]  # a static one of a function has a number after it
            seen = finding.seen.replace("a global or static variable", f"the global or static variable {name}")
            return replace(finding, subject=name, seen=seen)
    return finding


def _look_at_imports(elf: Elf, owns_memory: bool) -> list[Finding]:
    """Functions of the C library that a game should not use, one finding for each kind."""
    used: dict[str, list[str]] = {}
    for name in sorted(set(elf.imports())):
        code = IMPORTS.get(name)
        if code is not None and not (owns_memory and code == "import_memory"):
            used.setdefault(code, []).append(name)
    return [
        Finding(
            "warning" if code in _IMPORT_WARNINGS else "error", code, f"the game calls {', '.join(names)}", names[0]
        )
        for code, names in used.items()
    ]
