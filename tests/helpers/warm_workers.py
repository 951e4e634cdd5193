"""Imported by the process that workers are forked from (`killed_sweep`): what they need is loaded, and has run once."""

from __future__ import annotations

import tempfile
from pathlib import Path

from helpers.killed_sweep import swept

with tempfile.TemporaryDirectory() as notes:
    swept(None, Path(notes), {}, n_points=1)
