"""Draw the floor plan of the package from its imports: `python docs/floor_plan.py` writes docs/img/floor_plan.png.

A box is a room: a folder or file of nsnn_neuro, with its lines of code and the first line of its docstring. A room imports only
rooms on layers below it. A line leads to each room that it imports and does not reach through another one that it imports.
"""

from __future__ import annotations

import ast
import sys
import textwrap
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from helpers.imports import layers, room_imports  # noqa: E402

COLOURS = ("#E8F1F8", "#E3F2EC", "#FBEFD9", "#F8E6EF", "#EDE9F6", "#F1F1E4", "#E9EEF1")
WIDTH, HEIGHT, GAP_X, GAP_Y = 2.3, 0.86, 0.18, 0.52


def files_of(room: str) -> list[Path]:
    """The Python files of a room."""
    folder = ROOT / "nsnn_neuro" / room
    return sorted(folder.rglob("*.py")) if folder.is_dir() else [folder.with_suffix(".py")]


def summary(room: str) -> str:
    """The first sentence of a room's docstring."""
    text = ast.get_docstring(ast.parse(files_of(room)[0].read_text(encoding="utf-8"))) or ""
    return (
        text.split("\n\n")[0].split(".\n")[0].split(". ")[0].rstrip(".").replace("\n", " ").replace("`", "")
    )


def drawn_edges(graph: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Imports that are not implied by others."""

    def reached(room: str) -> set[str]:
        return graph[room].union(*(reached(below) for below in graph[room]))

    return [
        (room, below)
        for room, direct in sorted(graph.items())
        for below in sorted(direct)
        if not any(below in reached(other) for other in direct - {below})
    ]


def draw() -> Figure:
    """The floor plan."""
    graph = room_imports()
    floor = layers(graph)
    rows = {k: sorted(room for room in graph if floor[room] == k) for k in sorted(set(floor.values()))}
    most = max(len(row) for row in rows.values())
    full = most * (WIDTH + GAP_X) - GAP_X
    place = {}
    for k, row in rows.items():
        left = (full - len(row) * (WIDTH + GAP_X) + GAP_X) / 2
        for i, room in enumerate(row):
            place[room] = (left + i * (WIDTH + GAP_X), (k - 1) * (HEIGHT + GAP_Y))
    figure = Figure(figsize=(full + 0.3, len(rows) * (HEIGHT + GAP_Y) + 0.1), dpi=150)
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_xlim(-0.15, full + 0.15)
    ax.set_ylim(-0.25, len(rows) * (HEIGHT + GAP_Y) - GAP_Y + 0.2)
    ax.axis("off")
    for room, below in drawn_edges(graph):
        (x, y), (x2, y2) = place[room], place[below]
        ax.plot((x + WIDTH / 2, x2 + WIDTH / 2), (y, y2 + HEIGHT), color="#9AA5AE", lw=1.1, zorder=1)
    for room, (x, y) in place.items():
        box = FancyBboxPatch(
            (x, y), WIDTH, HEIGHT, boxstyle="round,pad=0,rounding_size=0.08", fc=COLOURS[(floor[room] - 1) % len(COLOURS)],
            ec="#4A5560", lw=1.0, zorder=2,
        )  # fmt: skip
        ax.add_patch(box)
        lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files_of(room))
        ax.text(x + 0.1, y + HEIGHT - 0.2, room, weight="bold", fontsize=10, va="center", zorder=3)
        ax.text(
            x + WIDTH - 0.1,
            y + HEIGHT - 0.2,
            f"{lines:,} lines",
            fontsize=7.5,
            va="center",
            ha="right",
            color="#4A5560",
            zorder=3,
        )
        words = textwrap.shorten(summary(room), 92, placeholder=" ...")
        ax.text(
            x + 0.1,
            y + HEIGHT - 0.37,
            textwrap.fill(words, 33),
            fontsize=7.2,
            va="top",
            linespacing=1.25,
            zorder=3,
        )
    return figure


if __name__ == "__main__":
    draw().savefig(ROOT / "docs" / "img" / "floor_plan.png")
