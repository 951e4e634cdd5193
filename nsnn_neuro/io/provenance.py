"""Provenance: the versions of the software that made a Block, and the revision of the source code."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from functools import lru_cache
from pathlib import Path
from typing import Any

_PACKAGES = ("nsnn-neuro", "brian2", "numpy", "scipy", "neo", "elephant")


@lru_cache
def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        # a checkout on the path is not installed, but knows its version
        return str(getattr(sys.modules.get(name.replace("-", "_")), "__version__", "not installed"))


@lru_cache(maxsize=1)
def _git_revision() -> str | None:
    # GIT_DIR and the like, set inside a hook, would point to another repository
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "--no-optional-locks", "-c", "core.fsmonitor=false", *arguments]
        folder = Path(__file__).parent
        options: dict[str, Any] = {"capture_output": True, "text": True, "timeout": 3, "check": True}
        return str(subprocess.run(command, cwd=folder, env=environment, **options).stdout).strip()

    try:
        # an installed copy inside another repository is not tracked there
        git("ls-files", "--error-unmatch", "provenance.py")
        revision = git("rev-parse", "HEAD")
        return revision + ("+dirty" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None


def provenance(*further: str) -> dict[str, Any]:
    """Versions of Python and the packages, and the git revision: {"versions": {name: version}, "git_revision": str or None}.

    further : names of other packages

    The revision is that of the checkout that the package runs from, with "+dirty" if tracked files were changed; None for an
    installed package or without git.

    >>> sorted(provenance()), "numpy" in provenance()["versions"]
    (['git_revision', 'versions'], True)
    """
    versions = {name.replace("-", "_"): _version(name) for name in _PACKAGES}
    versions |= {"python": platform.python_version(), **{name: _version(name) for name in further}}
    return {"versions": versions, "git_revision": _git_revision()}
