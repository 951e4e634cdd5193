"""Tables that a study keeps as small compressed files, from which its verdicts follow without a run."""

from __future__ import annotations

import io
import json
import lzma
from pathlib import Path
from typing import Any

import pandas as pd

from nsnn_neuro import FormatError

from ..harness import replacing


def write(table: str, head: dict[str, Any], path: Path) -> Path:
    """Write the text of a table after a line with `head`; its folder is made."""
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(head) + "\n" + table
    with replacing(path) as temporary:
        temporary.write_bytes(lzma.compress(text.encode()))
    return path


def read(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """A table, and its first line.

    Raises
    ------
    FormatError : a file that is no such table
    """
    try:
        head, _, text = lzma.decompress(path.read_bytes()).decode().partition("\n")
        return pd.read_csv(io.StringIO(text)), json.loads(head)
    except (OSError, ValueError, lzma.LZMAError) as error:
        raise FormatError(f"{path}: no kept table ({error}): delete it, it is computed again") from None
