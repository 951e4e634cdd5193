"""Import pynwb also where its cache folder can't be created, as in a container whose file system is read-only.

pynwb 4 creates the folder whenever it is imported.
"""

from __future__ import annotations

import importlib
import os
import tempfile
from types import ModuleType


def load() -> ModuleType:
    """The module pynwb; a temporary folder takes the place of a cache folder that can't be created."""
    try:
        return importlib.import_module("pynwb")
    except OSError:
        before = os.environ.get("XDG_CACHE_HOME")
        with tempfile.TemporaryDirectory() as folder:
            os.environ["XDG_CACHE_HOME"] = folder
            try:
                return importlib.import_module("pynwb")
            finally:
                if before is None:
                    del os.environ["XDG_CACHE_HOME"]
                else:
                    os.environ["XDG_CACHE_HOME"] = before
