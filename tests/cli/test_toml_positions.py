"""The line of every key, against documents whose lines are known from writing them. Not public: messages show single lines."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nsnn_neuro.cli.toml_positions import key_lines

QUOTES = ["{}", '"{}"', "'{}'", '"{} ]=["', "'{}.#'"]
VALUES = [
    "1",
    "-0.5e3",
    "true",
    "1979-05-27T07:32:00Z",
    '"a # b = [c]"',
    "'\\'",
    '""',
    '"\\""',
    '"""\n[x]\ny = 1\n"""',
    '"""a"" \\""""',
    "'''\n\n# '' '''",
    '""""quoted""""',
    "[]",
    "[1,\n 2, # three ]\n [3, '''\n''']\n]",
    "[ {a.b = 1, c = [\n]}, {} ]",
    "{}",
]


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[tuple[str, ...], int]]:
    """A TOML document and the line of each of its keys, noted while it is written."""
    lines: dict[tuple[str, ...], int] = {}
    text, table, number = "", (), 0

    def note(path: tuple[str, ...]) -> None:
        for k in range(1, len(path) + 1):
            lines.setdefault(path[:k], text.count("\n") + 1)

    def key() -> tuple[str, str]:
        nonlocal number
        number += 1
        written = draw(st.sampled_from(QUOTES)).format(f"k{number}")
        return written, written.strip("\"'")

    def dotted() -> tuple[str, tuple[str, ...]]:
        parts = [key() for _ in range(draw(st.integers(1, 3)))]
        return draw(st.sampled_from([".", " . "])).join(p for p, _ in parts), tuple(n for _, n in parts)

    for kind in draw(st.lists(st.sampled_from(["gap", "table", "pair", "pair", "inline"]), max_size=12)):
        if kind == "gap":
            text += draw(st.sampled_from(["\n", "# [x]\n", "  # y = 1 'z\n", "\t\n"]))
            continue
        written, path = dotted()
        if kind == "table":
            table = path
            note(path)
            text += f"[{written}]  # {written}\n"
            continue
        note((*table, *path))
        value = draw(st.sampled_from(VALUES))
        if kind == "inline":
            inner, names = dotted()
            note((*table, *path, *names))
            text += f"{written} = {{ {inner} = "
            text += f"{value}, "
            last, end = key()
            note((*table, *path, end))
            value = f"{last} = 0 }}"
            text += f"{value} # end\n"
        else:
            text += f"{written} = {value}\n"
    return text, lines


def paths(tree: object, path: tuple[str, ...] = ()) -> set[tuple[str, ...]]:
    found = {path} if path else set()
    if isinstance(tree, dict):
        found |= {p for key, value in tree.items() for p in paths(value, (*path, key))}
    return found


@pytest.mark.slow
@given(documents())
@settings(max_examples=200)
def test_every_key_of_a_document_has_its_line(document) -> None:
    text, expected = document
    known = paths(tomllib.loads(text))
    got = key_lines(text)
    assert {path: got[path] for path in known} == {path: expected[path] for path in known}


def test_tables_in_an_array_belong_to_its_key() -> None:
    text = "x = [ {a = 1, b = [\n]}, {c = 2,\td.e = [[{}], 3]} ]"
    assert key_lines(text) == {
        ("x",): 1,
        ("x", "a"): 1,
        ("x", "b"): 1,
        ("x", "c"): 2,
        ("x", "d"): 2,
        ("x", "d", "e"): 2,
    }


def test_the_first_line_of_a_table_that_comes_twice() -> None:
    text = "[[a]]\nb = 1\n[[a]]\nb = 2\n[a.c]\nd = 3\n"
    assert key_lines(text) == {("a",): 1, ("a", "b"): 2, ("a", "c"): 5, ("a", "c", "d"): 6}
