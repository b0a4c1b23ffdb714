"""Serves the page on this machine and sends what changes: only changed runs, and only new lines of their logs.

    /                                   the page
    /changes?since=VERSION              runs that changed after that version
    /curves?run=N&from=ROW&generation=G the rows of a log from ROW on; all of them if the file was replaced since
    /film/N                             the film of a run

It listens on 127.0.0.1 and answers only requests for that host, so that no other web page can read the data.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import webbrowser
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from pufferc.processes import Child, Parent, wait
from pufferc.view.collection import Collection, as_json
from pufferc.view.logs import encoded
from pufferc.view.page import film_type, render

HOST = "127.0.0.1"
_REFRESH_S = 0.5  # at least this long between two looks into the folders
_START_S = 20.0
_JSON, _HTML = "application/json", "text/html; charset=utf-8"


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, folders: Sequence[Path], port: int) -> None:
        """FileNotFoundError for a missing folder, OSError if the port cannot be used."""
        self.collection, self.lock, self._refreshed_at = Collection(list(folders)), threading.Lock(), -1e9
        try:
            super().__init__((HOST, port), _Handler)
        except OSError as error:
            raise OSError(error.errno, f"view: cannot listen on port {port}: {error.strerror}") from None
        self._refresh()

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_address[1]}/"

    def page(self) -> str:
        with self.lock:
            self._refresh()
            return render(self.collection, live=True)

    def changes(self, since: int) -> dict[str, Any]:
        with self.lock:
            self._refresh()
            changed = [entry for entry in self.collection.entries if entry.version > since]
            return {"version": self.collection.version, "runs": [entry.record() for entry in changed]}

    def curves(self, number: int, first: int, generation: int) -> dict[str, Any]:
        """Rows from `first` on. IndexError for an unknown run."""
        with self.lock:
            if number < 0:
                raise IndexError
            log = self.collection.entries[number].log
            log.read()
            first = first if generation == log.generation and first <= log.rows else 0
            columns = encoded({key: column[first:] for key, column in log.columns.items()})
            rows = log.rows - first
            return {"generation": log.generation, "first": first, "n": rows, "columns": columns}

    def film(self, number: int) -> Path | None:
        """IndexError for an unknown run."""
        with self.lock:
            return self.collection.entries[number].film

    def _refresh(self) -> None:
        now = time.monotonic()
        if now - self._refreshed_at >= _REFRESH_S:
            self.collection.refresh()
            self._refreshed_at = time.monotonic()


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if (self.headers.get("Host") or "").partition(":")[0] not in (HOST, "localhost"):
            self._send(403, "text/plain", b"this server answers requests for 127.0.0.1 only\n")
            return
        try:
            self._answer(*self._parts())
        except (LookupError, ValueError):
            self._send(404, "text/plain", b"not found\n")
        except ConnectionError:
            self.close_connection = True  # the page was closed
        except OSError as error:
            self._send(500, "text/plain", f"{error}\n".encode())

    def _parts(self) -> tuple[str, dict[str, int]]:
        """The path, and the whole numbers after it. ValueError for others."""
        address = urlsplit(self.path)
        return address.path, {name: int(values[-1]) for name, values in parse_qs(address.query).items()}

    def _answer(self, path: str, query: dict[str, int]) -> None:
        server = self.server
        if path == "/":
            self._send(200, _HTML, server.page().encode())
        elif path == "/changes":
            self._send(200, _JSON, as_json(server.changes(query["since"])).encode())
        elif path == "/curves":
            rows = server.curves(query["run"], query["from"], query["generation"])
            self._send(200, _JSON, as_json(rows).encode())
        elif path.startswith("/film/") and (film := server.film(int(path[6:]))) is not None:
            self._send(200, film_type(film), film.read_bytes())
        else:
            raise LookupError(path)

    def _send(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """No line per request."""


def serve(folders: Sequence[Path], port: int = 0, *, open_page: bool = True) -> None:
    """Serves until Ctrl-C; port 0 is a free one. Prints the address. See `_Server` for errors."""
    with _Server(folders, port) as server:
        print(f"{server.url}  (Ctrl-C ends it)", flush=True)
        if open_page:
            webbrowser.open(server.url)
        with contextlib.suppress(KeyboardInterrupt):
            server.serve_forever()


@contextlib.contextmanager
def open_live(folder: Path) -> Iterator[str]:
    """Shows the runs in `folder` in a browser during the block, from a process of its own. Yields the address.

    OSError if the page cannot be served.
    """
    child = Child(__name__, [str(folder)], Path(os.devnull))
    try:
        end = time.monotonic() + _START_S
        found: list[dict[str, Any]] = []
        while not found and not child.gone and time.monotonic() < end:
            wait([child], 0.1)
            found = child.messages()
        message = found[0] if found else {"error": "view: the server did not start"}
        if "error" in message:
            raise OSError(message["error"])
        yield message["url"]
    finally:
        child.stop()


def _main(channel: str, folder: str) -> None:
    """The process of `open_live`; it ends with its parent."""
    parent = Parent(channel)
    try:
        server = _Server([Path(folder)], 0)
        server.page()  # an error, such as no uPlot, belongs before the browser opens
    except (OSError, ValueError) as error:
        parent.send({"error": str(error)})
        return
    threading.Thread(target=server.serve_forever, daemon=True).start()
    webbrowser.open(server.url)
    parent.send({"url": server.url})
    parent.receive()


if __name__ == "__main__":
    _main(*sys.argv[1:])
