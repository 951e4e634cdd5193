"""Find the C++ compiler of this machine, without importing Brian2."""

from __future__ import annotations

import os
import shlex
import shutil


def find_compiler() -> list[str] | None:
    """The command of the C++ compiler: CXX, or the first of c++, g++, clang++ on the PATH; None if there is none."""
    named = shlex.split(os.environ.get("CXX", ""))
    for command in (named, ["c++"], ["g++"], ["clang++"]):
        if command and shutil.which(command[0]):
            return command
    return None
