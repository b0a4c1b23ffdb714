"""Puts data, style, script and uPlot into one HTML page, which needs no network.

The page's security policy allows this script and this style by their hashes, and nothing from elsewhere.
"""

from __future__ import annotations

import base64
import hashlib
import html
import mimetypes
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pufferc
from pufferc.files import expect_folder
from pufferc.view import uplot
from pufferc.view.collection import Collection, Entry, as_json
from pufferc.view.logs import averaged, encoded

_ASSETS = Path(__file__).parent / "assets"
# One concept per file, in the order of their use. They share one scope.
_SCRIPTS = (
    *(
        "format",
        "fields",
        "curves_data",
        "store",
        "query",
        "scales",
        "canvas",
        "table",
        "curves",
        "parallel",
        "scatter",
    ),
    *("importance", "differences", "details", "live", "main"),
)
_CURVES_BYTES = 14_000_000  # of all curves in a file
_MAX_POINTS, _MIN_POINTS = 1000, 16  # of a curve in a file
_BYTES_PER_NUMBER = 16 / 3  # a float32 in base64
_FILM_BYTES, _FILMS_BYTES = 1_500_000, 3_000_000  # of one film in a file, and of all


def write_page(folders: Sequence[Path], out: Path) -> Path:
    """Writes the page of the runs in `folders` to `out`, complete or not at all.

    Raises:
        FileNotFoundError: A folder is missing, or that of `out` is.
        ValueError: The folders hold no run.
        OSError: uPlot is missing, or `out` cannot be written.
    """
    expect_folder(out)
    collection = Collection(list(folders))
    collection.refresh()
    if not collection.entries:
        raise ValueError(f"view: there are no runs in {', '.join(map(str, folders))}")
    text = render(collection, live=False)
    temporary = out.with_name(f".{out.name}.part")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(out)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"cannot write {out}: {error.strerror}") from None
    return out


def render(collection: Collection, *, live: bool) -> str:
    """The page. A live one has no curves and no films; it asks the server for them."""
    values: dict[str, Any] = {
        "pufferc": pufferc.__version__, "made": time.strftime("%Y-%m-%dT%H:%M:%S%z"), "live": live,
        "folders": [str(folder) for folder in collection.folders], "version": collection.version,
        "runs": [entry.record() for entry in collection.entries],
    }  # fmt: skip
    if not live:
        _read_logs(collection.entries)
        values["curves"] = _curves(collection.entries)
        values["films"] = _films(collection.entries)
        for record, entry in zip(values["runs"], collection.entries, strict=True):
            record |= {"rows": entry.log.rows, "damaged": entry.log.damaged}
    values["common"] = _take_common(values["runs"])
    return _assemble(as_json(values), live)


def _read_logs(entries: Sequence[Entry]) -> None:
    for entry in entries:
        try:
            entry.log.read()
        except OSError as error:
            entry.run.problem = f"cannot read {entry.log.path}: {error.strerror}"


def _curves(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """The curves of all runs, averaged to as many points as fit."""
    numbers = sum(len(entry.log.columns) for entry in entries)
    points = int(_CURVES_BYTES / max(1.0, numbers * _BYTES_PER_NUMBER))
    points = max(_MIN_POINTS, min(_MAX_POINTS, points))
    found = []
    for entry in entries:
        columns = averaged(entry.log.columns, points)
        found.append({"n": min(points, entry.log.rows), "columns": encoded(columns)})
    return found


def _films(entries: Sequence[Entry]) -> dict[int, str]:
    """The films that are small enough, as data URLs by run."""
    found: dict[int, str] = {}
    left = _FILMS_BYTES
    for entry in entries:
        try:
            size = entry.film.stat().st_size if entry.film else 0
            if entry.film and size <= min(left, _FILM_BYTES):
                data = base64.b64encode(entry.film.read_bytes()).decode()
                found[entry.number] = f"data:{film_type(entry.film)};base64,{data}"
                left -= size
        except OSError:
            continue  # deleted meanwhile
    return found


def film_type(path: Path) -> str:
    """The media type of a film."""
    return mimetypes.guess_type(path.name)[0] or "application/octet-stream"


def _take_common(records: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Moves settings and facts that all runs share out of the records, since most are the same everywhere."""
    common = {}
    for part in ("config", "machine"):
        first = records[0][part] if records else {}
        shared = {key: v for key, v in first.items() if all(key in r[part] and r[part][key] == v for r in records)}
        for record in records:
            record[part] = {key: value for key, value in record[part].items() if key not in shared}
        common[part] = shared
    return common


def _assemble(data: str, live: bool) -> str:
    library, library_style = uplot.read()
    script = "\n".join((_ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in _SCRIPTS)
    script = f'{library}\n(() => {{\n"use strict";\n{script}}})();'
    style = library_style + (_ASSETS / "style.css").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; img-src data: 'self'; "
        f"media-src data: 'self'; base-uri 'none'; form-action 'none'" + ("; connect-src 'self'" if live else "")
    )
    text = (_ASSETS / "page.html").read_text(encoding="utf-8")
    parts = {"policy": html.escape(policy), "style": style, "data": data, "script": script}
    before, *rest = text.split("@@")  # name and following text by turns
    return before + "".join(parts[name] + after for name, after in zip(rest[::2], rest[1::2], strict=True))


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
