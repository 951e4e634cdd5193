"""The studies and their claims, read from the source: no study, and so neither Brian2 nor pandas, is imported."""

from __future__ import annotations

import ast
import contextlib
import importlib.util
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
_MACHINERY = {"full_runs", "harness", "listing", "overview", "report", "shared", "__main__"}


def studies() -> list[str]:
    """Names of all studies: the modules and folders of this package except the machinery."""
    return sorted(m.name for m in pkgutil.iter_modules([str(FOLDER)]) if m.name not in _MACHINERY)


def constants(name: str) -> dict[str, Any]:
    """{name: value} of the constants of a study, such as CLAIM and NEEDS, that its source gives as literals.

    A study that is a folder has its constants in `config.py` or `__init__.py`.
    """
    folder = FOLDER / name
    files = [folder / "config.py", folder / "__init__.py"] if folder.is_dir() else [FOLDER / f"{name}.py"]
    values: dict[str, Any] = {}
    for path in (path for path in files if path.is_file()):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign):
                with contextlib.suppress(ValueError):  # not a literal
                    value = ast.literal_eval(node.value)
                    values |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    return values


def lines() -> Iterator[str]:
    """A line for each study: its name, its claim, and the package that it needs and that is not installed."""
    for name in studies():
        values = constants(name)
        needs = values.get("NEEDS", "")
        lacks = f" (needs {needs})" if needs and importlib.util.find_spec(needs) is None else ""
        yield f"{name:24s} {values['CLAIM']}{lacks}"
