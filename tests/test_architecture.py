"""The walls of the house: who may import whom, what studies may use, what each public name must bring along.

The rules are the tables below; move a wall there, and say why in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import sys
import types
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

import conftest
import numpy as np
import pytest
from helpers.imports import file_imports, imports, layers, parsed, room_files, room_imports

import nsnn_neuro

ROOT = Path(__file__).resolve().parent.parent

LINE = [
    "core", "models", "io", "theory", "measures", "reference", "brian", "perturb", "datasets", "plotting", "learning",
    "likelihood", "deep", "sweep", "certify", "explore", "cli",
]  # fmt: skip
"""Rooms (folders and files of nsnn_neuro) in line: each may import those before it."""
# Rooms that may import less than what stands before them.
ONLY = {
    "models": {"core"},
    "io": {"core"},
    "theory": {"core", "models"},
    "measures": {"core", "io"},
    "reference": {"core", "models"},
    "perturb": {"core", "models", "io"},
    "datasets": {"core", "io"},
    "plotting": {"core", "io", "measures"},
}
MOST_ROOMS, MOST_LAYERS = 18, 7
# of Python in a room, empty ones and docstrings too
MOST_LINES = {
    "core": 2606,
    "models": 6066,
    "io": 8575,
    "theory": 3082,
    "measures": 19760,
    "reference": 943,
    "brian": 7368,
    "perturb": 324,
    "datasets": 1330,
    "plotting": 2445,
    "learning": 3663,
    "likelihood": 13986,
    "deep": 5578,
    "sweep": 1960,
    "certify": 1357,
    "explore": 705,
    "cli": 1753,
}
MOST_LINES_BESIDE = {"tests": 61_219, "analysis": 18_358}
PACKAGES = {"numpy", "scipy", "neo", "elephant", "pandas", "numba", "quantities", "sklearn", "lazy_loader"}
"""What measures, which need no Brian2, may import."""
# Rooms whose import may import Brian2; the others may only do so inside a function.
IMPORTS_BRIAN2 = {"brian", "learning"}
IMPORTS_TORCH = {"deep"}  # an extra: nothing else may need it
# but files of these names, which others import by name when they are asked for
TORCH_FILES = {"brian": "torch_"}
NOT_FROM_THE_PACKAGE = {"analysis", "tests", "benchmarks"}

MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:work|root|home)/")
SKIPPED_FOLDERS = {"__pycache__", "results", "build", "dist", ".git"}  # .git is a file in a linked worktree
SHOWN_FOLDERS = {".ci", ".github"}


def allowed(module: str) -> set[str]:
    """The rooms that `module`, a room, may import."""
    before = set(LINE[: LINE.index(module)])
    return before & ONLY.get(module, before) | {module}


def violations(source: str, module: str, package: str = "nsnn_neuro", file: str = "") -> list[str]:
    """What the imports of `source` break; `module` is its name in the tables, `package` where it stands, `file` its name."""
    if module not in LINE:
        return [f"{module} has no place in LINE"]
    found = []
    torch_files = TORCH_FILES.get(module, " ")
    has_torch = module in IMPORTS_TORCH or file.startswith(torch_files)
    for name, line, on_import, _ in imports(source, package):
        top, *rest = name.split(".")
        if top in NOT_FROM_THE_PACKAGE:
            found.append(f"{module}:{line} imports {name}")
        elif top == "nsnn_neuro" and (not rest or rest[0] not in allowed(module)):
            found.append(f"{module}:{line} imports {name}: {module} may import {sorted(allowed(module))}")
        elif not has_torch and (top == "torch" or any(part.startswith(torch_files) for part in rest)):
            found.append(
                f"{module}:{line} imports {name}: only {sorted(IMPORTS_TORCH)} and {TORCH_FILES} may"
            )
        elif top == "brian2" and on_import and module not in IMPORTS_BRIAN2:
            found.append(f"{module}:{line} imports {name} outside a function")
        if module == "measures" and top not in PACKAGES | {"nsnn_neuro"} | sys.stdlib_module_names:
            found.append(f"{module}:{line} imports {name}, not among {sorted(PACKAGES)}")
    return found


def package_files() -> list[tuple[str, str, Path]]:
    """Name in the tables, package where its relative imports start, and file of every module but the root and its `__main__`."""
    files = []
    for path in room_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        if len(parts) > 2 or parts[1] not in ("__init__", "__main__"):
            files.append((parts[1], ".".join(parts[:-1]), path))
    return files


def by_file(found: dict[Path, list[str]]) -> dict[str, list[str]]:
    """What was found in files, without those where nothing was."""
    return {str(path.relative_to(ROOT)): names for path, names in found.items() if names}


def test_every_room_has_a_place_in_line() -> None:
    rooms = {module for module, _, _ in package_files()}
    assert rooms == set(LINE), f"give {rooms ^ set(LINE)} a place in LINE, or take it away"
    assert len(rooms | {"__init__"}) <= MOST_ROOMS


def test_files_rooms_and_folders_of_rooms_import_in_one_direction_on_few_layers() -> None:
    layers(file_imports())
    assert max(layers(room_imports()).values()) <= MOST_LAYERS
    for room in LINE:
        layers(room_imports(room))
    with pytest.raises(ValueError, match="a -> b -> a"):
        layers({"a": {"b"}, "b": {"a"}})
    assert layers({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == {"a": 3, "b": 2, "c": 1}


def test_a_room_has_no_more_lines_than_its_cap_and_no_two_files_of_a_name() -> None:
    """What grows pays by deletion, or raises the cap with a sentence in CONTRIBUTING.md."""
    lines, names = Counter(), Counter()
    for room, _, path in package_files():
        lines[room] += len(path.read_text(encoding="utf-8").splitlines())
        names[room, path.stem] += path.stem != "__init__"
    assert {room: n for room, n in lines.items() if n > MOST_LINES[room]} == {}
    assert [name for name, n in names.items() if n > 1] == []
    for folder, most in MOST_LINES_BESIDE.items():
        texts = [path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py")]
        assert sum(len(text.splitlines()) for text in texts) <= most


def test_training_does_not_import_the_reference_that_it_is_held_against() -> None:
    made = {name: some for name, some in file_imports().items() if name.startswith("nsnn_neuro.learning")}
    assert len(made) > 10
    assert not [name for name, some in made.items() if any("reference" in one for one in some)]


def reached_for(source: str, package: str, modules: set[str]) -> list[str]:
    """Underscored names of other modules that `source`, a module of `package`, imports or reaches by dots."""
    nodes, found, known = list(ast.walk(parsed(source))), [], {}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            base = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(filter(None, (base, node.module)))
            for alias in node.names:
                if f"{base}.{alias.name}" in modules:
                    known[alias.asname or alias.name] = f"{base}.{alias.name}"
                elif base.split(".")[0] == "nsnn_neuro" and alias.name.startswith("_"):
                    found.append(f"{base}.{alias.name}")
    for node in nodes:
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in known:
            private = node.attr.startswith("_") and not node.attr.startswith("__")
            found += [f"{known[node.value.id]}.{node.attr}"] * private
    return found


def test_no_module_reaches_for_anothers_private_names() -> None:
    modules = set(file_imports())
    found = {
        p: reached_for(p.read_text(encoding="utf-8"), package, modules) for _, package, p in package_files()
    }
    assert by_file(found) == {}
    modules = {"nsnn_neuro.core.units"}
    assert reached_for("from ..core.units import _x", "nsnn_neuro.io", modules)
    assert reached_for("from ..core import units\nunits._x(1)", "nsnn_neuro.io", modules)
    assert not reached_for("from ..core import units\nunits.si(1), units.__doc__", "nsnn_neuro.io", modules)


def test_rooms_import_what_stands_before_them() -> None:
    found = {p: violations(p.read_text(encoding="utf-8"), *names, p.name) for *names, p in package_files()}
    assert by_file(found) == {}


def private_uses(source: str, root: types.ModuleType = nsnn_neuro) -> list[str]:
    """The names of nsnn_neuro that `source` imports or reaches by dots and that no `__all__` lists."""
    tree = parsed(source)
    alias: dict[str, str] = {}
    uses: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                alias[name.asname or name.name.split(".")[0]] = (
                    name.name if name.asname else name.name.split(".")[0]
                )
                uses.add(name.name)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            for name in node.names:
                alias[name.asname or name.name] = f"{node.module}.{name.name}"
                uses.add(f"{node.module}.{name.name}")
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            base, *attributes = ast.unparse(node).split(".")
            if base in alias and all(attribute.isidentifier() for attribute in attributes):
                uses.add(".".join([alias[base], *attributes]))
    return sorted(
        use for use in uses if use.split(".")[0] == "nsnn_neuro" and not is_public(use.split(".")[1:], root)
    )


DEEP = (ROOT / "nsnn_neuro" / "deep" / "__init__.py").read_text(encoding="utf-8")
"""its `__all__`; it isn't imported"""


def is_public(names: list[str], root: types.ModuleType) -> bool:
    """True when each of the dotted names is in the `__all__` of the module before it, starting at `root`."""
    if names[:1] == ["deep"]:  # public, though the package doesn't import it, as it needs torch
        return len(names) == 1 or f'"{names[1]}"' in DEEP
    here: Any = root
    for name in names:
        if not isinstance(here, types.ModuleType):
            return True
        if name not in getattr(here, "__all__", ()):
            return False
        here = getattr(here, name)
    return True


def test_studies_use_the_public_api_alone() -> None:
    found = {p: private_uses(p.read_text(encoding="utf-8")) for p in (ROOT / "analysis").rglob("*.py")}
    assert len(found) > 10
    assert by_file(found) == {}
    assert private_uses("from nsnn_neuro.brian.engine import set_target")


# Doors for code that runs Brian2 itself; docs/engine.md and docs/ndl.md have their examples.
ADVANCED = {"brian", "learning"}


def public_objects(without: Collection[str] = ADVANCED) -> dict[str, Any]:
    """Dotted name -> function or class, for all that the package and the modules in its `__all__` list, but those `without`."""
    found: dict[str, Any] = {}
    for name in sorted({*nsnn_neuro.__all__} - set(without)):
        thing = getattr(nsnn_neuro, name)
        inner = thing.__all__ if isinstance(thing, types.ModuleType) else []
        found |= {f"{name}.{sub}": getattr(thing, sub) for sub in inner} if inner else {name: thing}
    return {
        name: thing for name, thing in found.items() if inspect.isroutine(thing) or inspect.isclass(thing)
    }


def text_files(folder: Path) -> Iterator[Path]:
    """The files of the repository that may be text: no environments, caches, results."""
    for path in sorted(folder.iterdir()):
        hidden = path.name.startswith(".") and path.name not in SHOWN_FOLDERS
        if path.is_symlink() or path.name in SKIPPED_FOLDERS or path.suffix == ".egg-info":
            continue
        if path.is_file():
            yield path
        elif not hidden and not (path / "pyvenv.cfg").exists():
            yield from text_files(path)


def machine_paths(text: str) -> list[str]:
    """The lines of `text` that hold an absolute path into somebody's folders."""
    return [line.strip()[:120] for line in text.splitlines() if MACHINE_PATH.search(line)]


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    found = {}
    for path in text_files(ROOT):
        try:
            lines = machine_paths(path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            continue
        if lines:
            found[str(path.relative_to(ROOT))] = lines
    assert found == {}
    assert len(machine_paths("open('/" + "home/ann/x')\nin /" + "work/y, (/" + "root/z")) == 2
    assert machine_paths("https://example.org/" + "home/page, ~/" + "work/x, net/" + "root/y") == []


def test_the_guard_of_global_state_sees_and_puts_right() -> None:
    before = conftest.global_state()
    np.random.rand()  # noqa: NPY002
    from matplotlib import pyplot

    pyplot.figure()
    assert conftest.put_right(before) == ["NumPy's legacy random state", "Matplotlib's open figures"]
    assert conftest.put_right(before) == []


@pytest.mark.parametrize(
    "door", ["", *(room for room in LINE if (ROOT / "nsnn_neuro" / room / "__init__.pyi").exists())]
)
def test_no_file_or_folder_hides_a_public_name_of_its_door(door: str) -> None:
    """Importing it would put the module in place of the function; `certify` and `sweep` are handled by the root."""
    folder = ROOT / "nsnn_neuro" / door
    names = set(importlib.import_module(".".join(["nsnn_neuro", door]).rstrip(".")).__all__)
    inside = {
        path.stem for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    modules = {"perturb", "philox", "coding", "losses"}  # which are public themselves
    at_root = {name for name in inside if not door and (folder / name).is_dir()}
    assert names & inside - modules - at_root == set()
