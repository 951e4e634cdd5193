"""The walls of the house: who may import whom, what studies may use, what each public name must bring along.

The rules are the tables below; move a wall there, and say why in CONTRIBUTING.md.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import conftest
import numpy as np
import pytest

import nsnn_neuro

ROOT = Path(__file__).resolve().parent.parent

# Modules (or sub-packages) in line: each may import those before it.
LINE = [
    *("errors", "deprecated", "interrupt", "brian_import"),
    *("whole", "limits", "units", "bins", "records", "checks", "keyed_noise"),
    *("neurons", "noise", "escape", "stimuli"),
    *("plasticity", "synapses", "distributions", "connectivity", "images"),
    *("populations", "network", "presets", "time_step"),
    *("losses", "coding", "theory"),
    *("builds", "standalone", "cython_build", "lean", "brian_state", "engine", "fast_noise", "assemble"),
    *(
        "annotations",
        "blocks",
        "hdf5",
        "nwb",
        "spike_text",
        "foreign",
        "neo_layout",
        "validate",
        "recording",
        "streaming",
        "perturb",
    ),
    *(
        "simulate",
        "certify",
        "checkpoints",
        "epochs",
        "deep",
        "learn",
        "likelihood",
        "sweep",
        "toml_lines",
        "config",
    ),
    *("sweep_command", "cli"),
]
# Off the line: each may import these alone, and those on the line only import them where BESIDES says so.
ASIDE = {
    "measures": {"errors", "units", "bins"},
    "plotting": {"errors", "units", "bins", "measures"},
    "datasets": {"errors", "limits", "units", "recording"},
    "reference": {"errors", "units", "records", "noise", "escape"},
}
BESIDES = {
    "likelihood": {"measures"},
    "sweep": {"measures"},
    "certify": {"measures", "plotting"},
    "sweep_command": {"measures"},
    "cli": set(ASIDE),
}
# Third-party packages, for modules where they are restricted.
THIRD_PARTY = {"measures": {"numpy", "scipy", "neo", "elephant", "pandas", "numba", "quantities", "sklearn"}}
# Modules whose import may import Brian2; the others may only do so inside a function.
IMPORTS_BRIAN2 = {
    "standalone",
    "cython_build",
    "lean",
    "brian_state",
    "engine",
    "fast_noise",
    "assemble",
    "streaming",
    "simulate",
    "learn",
}
IMPORTS_TORCH = {"deep"}  # an extra: nothing else may need it
NOT_FROM_THE_PACKAGE = {"analysis", "tests", "benchmarks"}
# Public names without a doctest: errors, warnings, and what a function that has one returns.
NO_DOCTEST = {
    *(
        "NsnnError",
        "FormatError",
        "SilentNeuronWarning",
        "ResolutionWarning",
        "FailedPoints",
        "Psth",
        "SpikeTriggeredAverage",
    ),
    *("CovarianceParts", "FiringEvents", "MeanMatchedFano", "PowerSpectrum", "Susceptibility"),
    *("Decoding", "MetricSpace", "Reconstruction", "ReliabilityCurve", "SelectiveAccuracy"),
}

MACHINE_PATH = re.compile(r"(?<![\w.:/~-])/(?:work|root|home)/")
SKIPPED_FOLDERS = {"__pycache__", "results", "build", "dist", ".git"}  # .git is a file in a linked worktree
SHOWN_FOLDERS = {".ci", ".github"}


class Import(NamedTuple):
    """One imported name: its dotted path, line, and whether it happens when the module is imported."""

    name: str
    line: int
    on_import: bool


def imports(source: str, package: str) -> Iterator[Import]:
    """Every import in `source`, a module of `package` (dotted), also those inside functions."""

    def walk(node: ast.AST, on_import: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                yield from (Import(alias.name, child.lineno, on_import) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - child.level + 1]) if child.level else ""
                base = ".".join(filter(None, (base, child.module)))
                yield from (Import(f"{base}.{alias.name}", child.lineno, on_import) for alias in child.names)
            else:
                later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                only_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                yield from walk(child, on_import and not later and not only_types)

    yield from walk(ast.parse(source), True)


def allowed(module: str) -> set[str]:
    """The modules of the package that `module` may import."""
    before = ASIDE[module] if module in ASIDE else set(LINE[: LINE.index(module)])
    return before | {module} | BESIDES.get(module, set())


def violations(source: str, module: str, package: str = "nsnn_neuro") -> list[str]:
    """What the imports of `source` break; `module` is its name in the tables, `package` where it stands."""
    if module not in ASIDE and module not in LINE:
        return [f"{module} has no place in LINE or ASIDE"]
    found = []
    for name, line, on_import in imports(source, package):
        top, *rest = name.split(".")
        if top in NOT_FROM_THE_PACKAGE:
            found.append(f"{module}:{line} imports {name}")
        elif top == "nsnn_neuro" and (not rest or rest[0] not in allowed(module)):
            found.append(f"{module}:{line} imports {name}: {module} may import {sorted(allowed(module))}")
        elif top == "torch" and module not in IMPORTS_TORCH:
            found.append(f"{module}:{line} imports {name}: only {sorted(IMPORTS_TORCH)} may")
        elif top == "brian2" and on_import and module not in IMPORTS_BRIAN2:
            found.append(f"{module}:{line} imports {name} outside a function")
        known = THIRD_PARTY.get(module, {top}) | {"nsnn_neuro"} | sys.stdlib_module_names
        if top not in known:
            found.append(f"{module}:{line} imports {name}, not among {sorted(THIRD_PARTY[module])}")
    return found


def package_files() -> list[tuple[str, str, Path]]:
    """Name in the tables, package where its relative imports start, and file of every module but the root."""
    files = []
    for path in sorted((ROOT / "nsnn_neuro").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if len(parts) > 2 or parts[1] != "__init__":
            files.append((parts[1], ".".join(parts[:-1]), path))
    return files


def test_every_module_has_a_place_in_the_tables() -> None:
    unknown = {module for module, _, _ in package_files()} - set(LINE) - set(ASIDE)
    assert not unknown, f"give {unknown} a place in LINE or ASIDE"
    assert not set(LINE) & set(ASIDE)


@pytest.mark.parametrize(("module", "package", "path"), package_files(), ids=lambda v: getattr(v, "stem", ""))
def test_layers(module: str, package: str, path: Path) -> None:
    assert violations(path.read_text(encoding="utf-8"), module, package) == []


@pytest.mark.parametrize(
    ("source", "module", "package", "broken"),
    [
        ("from .simulate import simulate", "assemble", "nsnn_neuro", True),
        ("from . import units, simulate", "assemble", "nsnn_neuro", True),
        ("from nsnn_neuro.simulate import simulate", "assemble", "nsnn_neuro", True),
        ("def f():\n    from . import cli", "noise", "nsnn_neuro", True),
        ("from . import Network", "noise", "nsnn_neuro", True),
        ("import nsnn_neuro", "noise", "nsnn_neuro", True),
        ("from . import units\nfrom .errors import NsnnError", "noise", "nsnn_neuro", False),
        ("from ..simulate import simulate", "measures", "nsnn_neuro.measures", True),
        ("from .. import simulate", "measures", "nsnn_neuro.measures", True),
        ("import matplotlib", "measures", "nsnn_neuro.measures", True),
        (
            "import math\nfrom .trains import x\nfrom ..units import si",
            "measures",
            "nsnn_neuro.measures",
            False,
        ),
        ("from analysis import resonance", "cli", "nsnn_neuro", True),
        ("from .measures import tabulate", "sweep", "nsnn_neuro", False),
        ("from .measures import tabulate", "simulate", "nsnn_neuro", True),
        ("from brian2 import ms", "noise", "nsnn_neuro", True),
        ("try:\n    import brian2\nexcept ImportError:\n    pass", "noise", "nsnn_neuro", True),
        ("def f():\n    import brian2", "noise", "nsnn_neuro", False),
        ("if TYPE_CHECKING:\n    import brian2", "noise", "nsnn_neuro", False),
        ("import brian2", "engine", "nsnn_neuro", False),
        ("def f():\n    import torch", "learn", "nsnn_neuro", True),
        ("from torch import nn", "deep", "nsnn_neuro.deep", False),
    ],
)
def test_the_checker_of_layers_sees(source: str, module: str, package: str, broken: bool) -> None:
    assert bool(violations(source, module, package)) is broken


def private_uses(source: str, root: types.ModuleType = nsnn_neuro) -> list[str]:
    """The names of nsnn_neuro that `source` imports or reaches by dots and that no `__all__` lists."""
    tree = ast.parse(source)
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


def listed(path: Path) -> list[str]:
    """The `__all__` of a file that isn't imported."""
    lists = [
        node.value
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    ]
    return ast.literal_eval(lists[0])


DEEP = listed(ROOT / "nsnn_neuro" / "deep" / "__init__.py")


def is_public(names: list[str], root: types.ModuleType) -> bool:
    """True when each of the dotted names is in the `__all__` of the module before it, starting at `root`."""
    if names[:1] == ["deep"]:  # public, though the package doesn't import it, as it needs torch
        return len(names) == 1 or names[1] in DEEP
    here: Any = root
    for name in names:
        if not isinstance(here, types.ModuleType):
            return True
        if name not in getattr(here, "__all__", ()):
            return False
        here = getattr(here, name)
    return True


@pytest.mark.parametrize("path", sorted((ROOT / "analysis").rglob("*.py")), ids=lambda path: path.stem)
def test_studies_use_the_public_api_alone(path: Path) -> None:
    assert private_uses(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from nsnn_neuro.engine import set_target", ["nsnn_neuro.engine.set_target"]),
        ("import nsnn_neuro as nn\nnn.data._check(1)", ["nsnn_neuro.data._check"]),
        ("import nsnn_neuro.data as d\nd._check(1)", ["nsnn_neuro.data._check"]),
        ("from nsnn_neuro import *", ["nsnn_neuro.*"]),
        ("from nsnn_neuro import data\ndata.get(1).segments[0]\ndata.get.x", []),
        ("from nsnn_neuro.data import get", []),
        ("from nsnn_neuro import deep\ndeep.fit.x", []),
        ("from nsnn_neuro import deep\ndeep.online", ["nsnn_neuro.deep.online"]),
        ("import numpy\nnumpy.random._mt19937", []),
    ],
)
def test_the_checker_of_studies_sees(source: str, found: list[str]) -> None:
    root, data = types.ModuleType("nsnn_neuro"), types.ModuleType("nsnn_neuro.data")
    vars(root).update(__all__=["data"], data=data, engine=types.ModuleType("nsnn_neuro.engine"))
    vars(data).update(__all__=["get"], get=len, _check=len)
    assert private_uses(source, root) == found


def public_objects() -> dict[str, Any]:
    """Dotted name -> function or class, for all that the package and the modules in its `__all__` list."""
    found: dict[str, Any] = {}
    for name in getattr(nsnn_neuro, "__all__", ()):
        thing = getattr(nsnn_neuro, name)
        inner = thing.__all__ if isinstance(thing, types.ModuleType) else []
        found |= {f"{name}.{sub}": getattr(thing, sub) for sub in inner} if inner else {name: thing}
    return {
        name: thing for name, thing in found.items() if inspect.isroutine(thing) or inspect.isclass(thing)
    }


def test_public_names_have_docstrings_that_run() -> None:
    objects = public_objects()
    assert len(objects) > 10
    without = {name.split(".")[-1] for name, thing in objects.items() if ">>>" not in (thing.__doc__ or "")}
    assert not without - NO_DOCTEST, f"docstrings without an example: {sorted(without - NO_DOCTEST)}"
    assert not NO_DOCTEST - without, f"needless exemptions: {sorted(NO_DOCTEST - without)}"
    assert not [name for name, thing in objects.items() if not (thing.__doc__ or "").strip()]


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


def test_the_checker_of_paths_sees() -> None:
    bad = "open('/" + "home/ann/x'), in /" + "work/y, (/" + "root/z"
    assert len(machine_paths(bad.replace(", ", "\n"))) == 3
    assert machine_paths("https://example.org/" + "home/page, ~/" + "work/x, net/" + "root/y") == []


def test_the_guard_of_global_state_sees_and_puts_right() -> None:
    before = conftest.global_state()
    np.random.rand()  # noqa: NPY002
    from matplotlib import pyplot

    pyplot.figure()
    assert conftest.put_right(before) == ["NumPy's legacy random state", "Matplotlib's open figures"]
    assert conftest.put_right(before) == []
