"""Prints the version of CUDA that the installed torch is built with, "none" where it has none, nothing without torch.

Run by CMake with the interpreter that pufferc is built for. pip builds in an environment of its own, which hides the
packages that are installed: their folders are searched too. torch is not imported, which takes seconds.
"""

import importlib.machinery
import pathlib
import re
import sys
import sysconfig

folders = [*sys.path, sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
spec = importlib.machinery.PathFinder.find_spec("torch", folders)
for folder in spec.submodule_search_locations or [] if spec else []:
    version = pathlib.Path(folder, "version.py")
    if version.is_file():
        found = re.search(r"^cuda\b[^=\n]*=\s*['\"]([\d.]+)['\"]", version.read_text(encoding="utf-8"), re.MULTILINE)
        print(found[1] if found else "none")
        break
