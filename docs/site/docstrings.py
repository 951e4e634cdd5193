"""Docstrings as reStructuredText, for autodoc.

Docstrings of this package have underlined sections with entries `name : text`, equations indented by four spaces, tables with
bars, and doctests. Sections become lists of definitions, and names in single backquotes links to such an object, if any.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Iterable, Iterator
from typing import Any

from sphinx.util import inspect

_ENTRY = re.compile(r"(?P<names>[\w*`][\w*`., |()\[\]=\"']*?) :(?: (?P<text>.*))?")
DOI = re.compile(r"\bdoi (10\.\d{4,}/[^\s,;`]*[^\s,;`.:)])")


def prose(line: str) -> str:
    """Text with its code and DOIs marked, and without other markup than **bold**."""
    parts = re.split(
        r"(`[^`]+`|\*\*[\w ,.-]+\*\*|\[[^\]]+\]\(https?:[^)]+\)|" + DOI.pattern.replace("(10", "(?:10") + ")",
        line,
    )
    for k, part in enumerate(parts):
        if k % 2 == 0:
            parts[k] = re.sub(r"([\\*|_`])", r"\\\1", part)
        elif part[0] == "`" and re.fullmatch(r"[A-Za-z_][\w.]*", part[1:-1]):
            parts[k] = rf"\ :py:obj:{part}\ "
        elif part[0] == "`":
            parts[k] = rf"\ `{part}`\ "
        elif part[0] == "[":
            label, address = part[1:-1].split("](")
            parts[k] = rf"\ `{label} <{address}>`__\ "
        elif part[0] == "d":
            parts[k] = rf"\ :doi:`{part[4:]}`\ "
    return "".join(parts)


def _blocks(lines: list[str]) -> list[list[str]]:
    """Runs of lines between empty lines."""
    return [list(block) for full, block in itertools.groupby(lines, lambda line: bool(line.strip())) if full]


def _entries(lines: Iterable[str]) -> Iterator[str]:
    """A list of definitions from the entries of a section; indented lines continue an entry."""
    between = False
    for line in lines:
        if entry := _ENTRY.fullmatch(line):
            names = ", ".join(f"``{name.strip()}``" for name in entry["names"].replace("`", "").split(","))
            text = [f"        {prose(entry['text'])}"] if entry["text"] else []
            yield from ([""] if between else []) + [f"    {names}", *text]
        elif line.startswith(" "):
            yield f"        {prose(line.strip())}"
        else:
            yield from ([] if between else [""]) + [f"    {prose(line)}"]
        between = not entry and not line.startswith(" ")


def _table(lines: list[str]) -> Iterator[str]:
    """A Markdown table."""
    yield from (".. list-table::", "    :header-rows: 1", "")
    for line in lines:
        if not re.fullmatch(r"[|: -]+", line):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            yield from (
                f"    {'-' if k else '* -'} {prose(c)}".replace("    - ", "      - ")
                for k, c in enumerate(cells)
            )


def restructured(lines: list[str]) -> list[str]:
    """The lines of a docstring of this package as reStructuredText."""
    out: list[str] = []
    for block in _blocks(lines):
        if len(block) > 1 and re.fullmatch(r"-{3,}", block[1]):
            out += [f":{block[0].strip()}:", "", *_entries(block[2:])]
        elif all(line.startswith(" ") or _ENTRY.fullmatch(line) for line in block) and _ENTRY.fullmatch(
            block[0]
        ):
            out += [":Parameters:", "", *_entries(block)]  # those of a method
        elif block[0].lstrip().startswith(">>>"):
            out += block
        elif all(line.startswith("    ") for line in block):
            out += [".. code-block:: text", "", *block]
        elif re.fullmatch(r"=+( +=+)+", block[0]):
            out += block
        elif len(block) > 2 and re.fullmatch(r"\|[|: -]+", block[1]):
            out += _table(block)
        else:
            out += map(prose, block)
        out.append("")
    return out


def skip(app: Any, kind: str, name: str, thing: Any, skipped: bool, options: Any) -> bool | None:
    """Leave out what has the docstring of another type."""
    return True if isinstance(thing, functools.partial) else None


def signature(
    app: Any, kind: str, name: str, thing: Any, options: Any, text: str | None, returned: str | None
) -> Any:
    """Names of type aliases as they are, and the fields of models, whose classes take any arguments."""
    if text is None:
        return None
    if kind == "class" and text.startswith("(*args"):
        own = inspect.signature(thing)
        text = inspect.stringify_signature(own, show_return_annotation=False, unqualified_typehints=True)
    return re.sub(r"TypeAliasForwardRef\('(\w+)'\)", r"\1", text), returned


def process(app: Any, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Rewrite a docstring when autodoc has read it."""
    if name.startswith("nsnn_neuro"):
        lines[:] = restructured(lines)
