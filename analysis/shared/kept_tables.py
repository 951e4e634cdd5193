"""Tables that a study keeps as small compressed files, from which its verdicts follow without a run."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import lzma
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from nsnn_neuro import FormatError, provenance

from ..harness import replacing


def identity(config: Any, without: Collection[str] = ()) -> str:
    """A short hash of a configuration without some of its fields, with which the name of a file begins."""
    values = {k: v for k, v in dataclasses.asdict(config).items() if k not in without}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:10]


def write(table: pd.DataFrame, path: Path) -> Path:
    """Write a table, after a line with its code and date; its folder is made."""
    head = {
        "revision": provenance()["git_revision"],
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    return write_text(table.to_csv(index=False, float_format="%.7g"), head, path)


def write_text(table: str, head: dict[str, Any], path: Path) -> Path:
    """Write the text of a table after a line with `head`; its folder is made."""
    path.parent.mkdir(exist_ok=True)
    text = json.dumps(head) + "\n" + table
    with replacing(path) as temporary:
        temporary.write_bytes(lzma.compress(text.encode()))
    return path


def read(path: Path, fits: Callable[[pd.DataFrame], Any]) -> pd.DataFrame | None:
    """Read a table; None if there is no such file. fits : whether a table is the one that the name promises.

    Raises
    ------
    FormatError : a file that is no such table
    """
    if not path.is_file():
        return None
    table, _ = read_with_head(path)
    try:
        fit = fits(table)
    except (KeyError, AttributeError):  # without its columns
        fit = False
    if not fit:
        raise FormatError(f"{path}: no kept table (rows of another run): delete it, it is computed again")
    return table


def read_with_head(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
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
