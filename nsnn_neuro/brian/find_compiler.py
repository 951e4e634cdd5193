"""Find the C++ compiler of this machine, without importing Brian2."""

from __future__ import annotations

import os
import shlex
import shutil

from .child_process import CompiledCodeError


def find_compiler() -> list[str] | None:
    """The command of the C++ compiler: CXX, or the first of c++, g++, clang++ on the PATH; None if there is none."""
    named = words_of("CXX")
    for command in (named, ["c++"], ["g++"], ["clang++"]):
        if command and shutil.which(command[0]):
            return command
    return None


def words_of(name: str) -> list[str]:
    """The words of an environment variable that holds a command or options, as a shell would split them."""
    text = os.environ.get(name, "")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise CompiledCodeError(
            f"{name} = {text}: {error}", "expected an environment variable with closed quotes"
        ) from None
