"""The imports of the package, read from its source: who imports whom, and on which layer each stands."""

from __future__ import annotations

import ast
import functools
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Import(NamedTuple):
    """One imported name: its dotted path, line, whether it happens when the module is imported, and only for type checkers."""

    name: str
    line: int
    on_import: bool
    for_types: bool


@functools.cache
def parsed(source: str) -> ast.Module:
    """The tree of a source; several tests read all files of the package.

    Looking for garbage among the trees would take four times as long as making them: they are put aside."""
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        gc.freeze()
        gc.enable()


def imports(source: str, package: str) -> Iterator[Import]:
    """Every import in `source`, a module of `package` (dotted), also those inside functions."""

    def walk(node: ast.AST, on_import: bool, for_types: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if not isinstance(child, ast.stmt | ast.excepthandler | ast.match_case):
                continue  # an expression imports nothing
            if isinstance(child, ast.Import):
                names = [alias.name for alias in child.names]
            elif isinstance(child, ast.ImportFrom):
                parts = package.split(".")
                base = ".".join(parts[: len(parts) - child.level + 1]) if child.level else ""
                base = ".".join(filter(None, (base, child.module)))
                names = [f"{base}.{alias.name}" for alias in child.names]
            else:
                later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                only_types = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                yield from walk(child, on_import and not later and not only_types, for_types or only_types)
                continue
            yield from (Import(name, child.lineno, on_import, for_types) for name in names)

    yield from walk(parsed(source), True, False)


def room_files() -> list[Path]:
    """The files of the package, without its folder `studies`, which only points to `analysis`."""
    return [path for path in sorted((ROOT / "nsnn_neuro").rglob("*.py")) if path.parent.name != "studies"]


@functools.cache
def file_imports() -> dict[str, set[str]]:
    """Dotted module -> the modules of the package that it imports as it runs, also inside functions."""
    files = {}
    for path in room_files():
        parts = path.relative_to(ROOT).with_suffix("").parts
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = (path, ".".join(parts[:-1]))
    graph = {}
    for module, (path, package) in files.items():
        found = set()
        for name, _, _, for_types in imports(path.read_text(encoding="utf-8"), package):
            if for_types:
                continue
            known = [name, name.rpartition(".")[0]]
            found |= {next((k for k in known if k in files), "")} - {"", module}
        graph[module] = found
    return graph


def layers(graph: dict[str, set[str]]) -> dict[str, int]:
    """Node -> 1 + the layer of the highest that it imports; a `ValueError` that names a circle."""
    height: dict[str, int] = {}

    def visit(node: str, above: tuple[str, ...]) -> int:
        if node in above:
            raise ValueError(" -> ".join([*above[above.index(node) :], node]))
        if node not in height:
            height[node] = 1 + max((visit(n, (*above, node)) for n in sorted(graph[node])), default=0)
        return height[node]

    for node in graph:
        visit(node, ())
    return height


def room_imports(folder: str = "") -> dict[str, set[str]]:
    """Room, a folder or file of the package or of a `folder` in it -> the rooms that it imports; the root is left out."""
    graph: dict[str, set[str]] = {}
    root = f"nsnn_neuro.{folder}." if folder else "nsnn_neuro."
    for module, found in file_imports().items():
        if module.startswith(root) and module != "nsnn_neuro.__main__":
            room, at = module.removeprefix(root).split(".")[0], len(root)
            used = {one[at:].split(".")[0] for one in found if one.startswith(root)}
            graph.setdefault(room, set()).update(used - {room})
    return graph
