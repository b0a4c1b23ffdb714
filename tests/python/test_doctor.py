"""`pufferc doctor` reports what is installed, what is missing, and how to install it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import pufferc
from pufferc import _core
from pufferc.commands import doctor
from pufferc.commands.main import main
from pufferc.pictures import window

LEFT_OUT = {"moonwalk": "this pufferc was built without Box2D 3.1. Set PUFFERC_BOX2D_SOURCE=FOLDER to its source"}


def test_report_is_json_and_names_everything(capsys: Any) -> None:
    assert main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["pufferc"]["version"] == pufferc.__version__
    assert facts["games"]["built in"].split(", ") == pufferc.list_envs()
    for info in map(pufferc.env_info, pufferc.list_envs()):
        assert (f"limit of {info.name}" in facts["games"]) == (info.max_games is not None)
    for package in ("numpy", "torch", "pillow", "imageio-ffmpeg", "matplotlib"):
        assert facts["packages"][package]
    assert set(facts["pictures"]) == {"window", "GIF, PNG", "MP4"}


def test_left_out_games_are_named_with_how_to_build_them(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_core, "games_left_out", lambda: LEFT_OUT)
    assert main(["doctor"]) == 0
    assert f"moonwalk           missing: {LEFT_OUT['moonwalk']}" in capsys.readouterr().out
    for command in ("train", "eval", "play"):
        assert main([command, "moonwalk"]) == 2
        assert f"this build does not have moonwalk: {LEFT_OUT['moonwalk']}" in capsys.readouterr().err
    with pytest.raises(ValueError, match="PUFFERC_BOX2D_SOURCE"):
        pufferc.make("moonwalk")


def test_games_are_built_in_or_left_out() -> None:
    missing = _core.games_left_out()
    assert ("lander" in missing) != ("lander" in pufferc.list_envs())
    assert all("PUFFERC_BOX2D_SOURCE" in why for why in missing.values())


def test_a_missing_window_module_is_named_with_how_to_build_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = tmp_path / "pufferc_draw_window.so"
    monkeypatch.setattr(window, "_module_path", lambda: module)
    text = doctor.report()["pictures"]["window"]
    assert all(word in text for word in ("no windows", "raylib 6.0", "libglfw3-dev", "PUFFERC_RAYLIB_SOURCE")), text
    module.write_bytes(b"not a library")
    assert f"no windows: module: {module}" in doctor.report()["pictures"]["window"]


def test_missing_packages_are_named_with_how_to_install_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    for name in ("PIL", "imageio_ffmpeg", "torch"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    facts = doctor.report()
    assert facts["packages"]["numpy"] == "not installed: pip install numpy"
    assert facts["packages"]["safetensors"] == "not installed: pip install 'pufferc[train]'"
    assert facts["packages"]["matplotlib"] == "not installed: pip install 'pufferc[render]'"
    assert "pip install 'pufferc[render]'" in facts["pictures"]["GIF, PNG"]
    assert "pip install 'pufferc[render]'" in facts["pictures"]["MP4"]
    assert "pip install 'pufferc[train]'" in facts["cuda"]["torch sees a GPU"]


def test_a_torch_that_cannot_be_loaded_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "torch.py").write_text("raise OSError('libtorch_cpu.so: file too short')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    assert "cannot be imported: libtorch_cpu.so: file too short" in doctor.report()["cuda"]["torch sees a GPU"]


@pytest.mark.skipif(window.why_no_windows() is not None, reason="no windows in this build")
@pytest.mark.skipif(sys.platform != "linux", reason="X11's sockets as Linux has them")
def test_a_machine_without_a_display_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    assert "DISPLAY is not set" in doctor.report()["pictures"]["window"]
    number = 100_000 + os.getpid()
    for name in (f":{number}", f"unix:{number}.0"):
        monkeypatch.setenv("DISPLAY", name)
        assert f"no X server answers at DISPLAY={name}" in doctor.report()["pictures"]["window"]
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0/tmp/.X11-unix/X{number}")
        server.listen()
        assert doctor.report()["pictures"]["window"] == "available"
    monkeypatch.setenv("DISPLAY", "elsewhere:0")  # a remote host that may not answer for a minute
    assert doctor.report()["pictures"]["window"] == "available"


@pytest.mark.parametrize("columns", [20, 60, 100])
def test_lines_are_wrapped_to_the_terminal_width(columns: int, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines fit down to 56 columns unless a single word is longer. A file gets one line per fact."""
    monkeypatch.setattr(_core, "games_left_out", lambda: LEFT_OUT)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["doctor"]) == 0
    whole = capsys.readouterr().out
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= max(columns, 56) or len(line.split()) <= 2 for line in lines)
    assert whole.split() == " ".join(lines).split() and len(lines) > len(whole.splitlines())
    assert os.linesep.join(whole.splitlines()).count(LEFT_OUT["moonwalk"]) == 1
