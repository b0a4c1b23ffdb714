"""`pufferc check ./mygame.so` looks for mistakes in a game.

A finding says what happened and where, why it matters and what to change.

The checks are those that the built-in games get (csrc/conformance/). They run in a separate process, so that a game
that crashes or never returns is a finding like any other.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pufferc import errors
from pufferc.authoring.build import build
from pufferc.authoring.check_process import Limits, play_in_process
from pufferc.authoring.check_texts import IMPORTS, TEXTS
from pufferc.envs import game_library

__all__ = ["Finding", "Report", "check"]

_HANG_S = 15.0  # without a finished call of the game
_WHOLE_S = 600.0
_ORDER = {"error": 0, "warning": 1, "note": 2}
# Kinds of C library functions that are warnings; others are errors.
_IMPORT_WARNINGS = {"import_files", "import_math"}


@dataclass(frozen=True)
class Finding:
    """One finding.

    `severity` is "error" (the contract is broken), "warning" (allowed, but probably a mistake) or "note". `code` names
    the rule, `subject` the observation, metric or function. `game`, `agent` and `step` say where it was first seen,
    None where that does not apply; step 0 is the reset.
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
        """A text such as "game 3, step 17"; may be empty."""
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
    """All findings about a game, errors first. `ok`: no errors."""

    game: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        return not self.count("error")

    def count(self, severity: str) -> int:
        """Number of findings of a severity."""
        return sum(finding.severity == severity for finding in self.findings)

    def __str__(self) -> str:
        verdict = "failed" if not self.ok else "passed with warnings" if self.count("warning") else "passed"
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
    limit_s: float = _WHOLE_S,
) -> Report:
    """Plays a game at random in a separate process and reports what is wrong with it. Takes some seconds.

    Args:
        game: Path of a shared object, or of a C source, which is built first; or the name of a built-in game.
        params: Parameters of the game.
        data: Path of a file that the game reads, such as a map.
        debug: Build the source (mygame.c beside mygame.so) with AddressSanitizer and UBSan, and check that: mistakes in
            memory and arithmetic are then reported with their line.
        hang_s: A call of the game that takes longer, in seconds, counts as a hang; loading and pauses between calls may
            take four times as long.
        limit_s: Time for all checks, in seconds.

    Raises:
        ValueError: ModuleError if the file cannot be loaded as a game; unknown parameters; data that the game refuses.
        OSError: The file cannot be read.
        BuildError: The source does not compile.
    """
    values = errors.game_params(params or {})
    text = os.fspath(game)
    with tempfile.TemporaryDirectory(prefix="pufferc-check-") as folder:
        place = text
        if debug or text.endswith(".c"):
            place = str(_build(text, Path(folder), debug))
        symbols = _Symbols(place) if game_library.is_path(place) else None
        played = play_in_process(place, values, data, Path(folder), Limits(hang_s, limit_s))
    found = [Finding(**finding) for finding in played.findings]
    if symbols is not None:
        found = [symbols.name_in(finding, address) for finding, address in zip(found, played.addresses, strict=True)]
        found += symbols.imports(owns_memory=not played.can_save)
    return Report(text, tuple(sorted(found, key=lambda finding: _ORDER[finding.severity])))


def _build(text: str, folder: Path, debug: bool) -> Path:
    source = Path(text).with_suffix(".c") if game_library.is_path(text) else Path(text)
    if source.suffixes[:-1] == [".debug"]:  # mygame.debug.so is built from mygame.c
        source = source.with_name(source.name.replace(".debug", ""))
    if source.suffix != ".c":
        raise ValueError(f"debug: {text} is a built-in game; give the path of a shared object or source")
    return build(source, folder / f"{source.stem}.so", debug=debug)


class _Symbols:
    """The symbols of a shared object, from `nm` of the binutils. Without nm fewer mistakes are found, with a note."""

    def __init__(self, place: str) -> None:
        """Reads the file now, since a temporary one may be gone later."""
        self.missing = shutil.which("nm") is None
        self._undefined = [] if self.missing else _nm("-D", "--undefined-only", place)
        self._defined = [] if self.missing else _nm("-S", "--defined-only", place)

    def name_in(self, finding: Finding, address: int) -> Finding:
        """A finding about a variable with the variable's name, where the file has it."""
        for words in self._defined if address else ():
            if len(words) != 4 or words[2] not in "bBdDsSgG":  # address, size, kind and name of writable data
                continue
            start, size = int(words[0], 16), int(words[1], 16)
            if start <= address < start + size:
                name = words[3].partition(".")[0]  # a static variable of a function has a number after its name
                seen = finding.seen.replace("a global or static variable", f"the global or static variable {name}")
                return replace(finding, subject=name, seen=seen)
        return finding

    def imports(self, owns_memory: bool) -> list[Finding]:
        """Functions of the C library that a game should not use, one finding for each kind."""
        if self.missing:
            return [
                Finding("note", "nm_missing", "calls of the C library were not checked, because nm is not installed")
            ]
        used: dict[str, list[str]] = {}
        for name in sorted({words[-1].partition("@")[0] for words in self._undefined}):
            code = IMPORTS.get(name)
            if code is not None and not (owns_memory and code == "import_memory"):
                used.setdefault(code, []).append(name)
        return [
            Finding(
                "warning" if code in _IMPORT_WARNINGS else "error", code, f"the game calls {', '.join(names)}", names[0]
            )
            for code, names in used.items()
        ]


def _nm(*words: str) -> list[list[str]]:
    """The words of each line of nm. Empty if it cannot read the file; loading the game gives a better error."""
    done = subprocess.run(["nm", *words], capture_output=True, text=True, errors="replace", check=False)
    return [line.split() for line in done.stdout.splitlines() if line.strip()]
