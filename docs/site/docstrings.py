"""Docstrings as Markdown: an extension of griffe, the reader of docstrings that mkdocstrings uses.

The docstrings of this package have underlined sections with entries `name : text`, equations indented by four spaces, and doctests.
Sections become lists, doctests become code blocks, and a page in docs/ that is named becomes a link.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from typing import Any

import griffe

_ENTRY = re.compile(r"(?P<names>[\w*][\w*., |()\[\]=\"']*?) : (?P<text>.*)")
_PAGE = re.compile(r"`?docs/(\w+)\.md`?")


def _prose(line: str) -> str:
    """Escape what Markdown or HTML would read as markup, outside of code."""
    parts = re.split(r"(`[^`]*`)", line)
    for k in range(0, len(parts), 2):
        parts[k] = re.sub(r"([*_<\[\]])", r"\\\1", parts[k])
    return "".join(parts)


def _link(line: str) -> str:
    return _PAGE.sub(lambda m: f"[{m[1].replace('_', ' ')}](../{m[1]}.md)", line)


def _blocks(lines: list[str]) -> Iterator[list[str]]:
    """Runs of lines between empty lines."""
    block: list[str] = []
    for line in lines:
        if line.strip():
            block.append(line)
        elif block:
            yield block
            block = []
    if block:
        yield block


def _entries(lines: Iterable[str]) -> Iterator[str]:
    """A list from the entries of a section; indented lines continue an entry."""
    for line in lines:
        entry = _ENTRY.fullmatch(line)
        if entry and not line.startswith(" "):
            names = ", ".join(f"`{name.strip()}`" for name in entry["names"].split(","))
            yield f"- {names}: {_link(_prose(entry['text']))}"
        elif line.startswith(" "):
            yield f"    {_link(_prose(line.strip()))}"
        else:
            yield f"\n{_link(_prose(line))}"


def markdown(text: str) -> str:
    """Return a docstring of this package as Markdown."""
    out: list[str] = []
    for block in _blocks(inspect.cleandoc(text).splitlines()):
        if len(block) > 1 and re.fullmatch(r"-{3,}", block[1]):
            out += [f"**{block[0].strip()}**", "", *_entries(block[2:])]
        elif block[0].lstrip().startswith(">>>"):
            out += ["```pycon", *inspect.cleandoc("\n".join(block)).splitlines(), "```"]
        elif all(line.startswith("    ") for line in block):
            out += ["```text", *(line[4:] for line in block), "```"]
        elif block[0].lstrip().startswith(("- ", "|")):
            out += [_link(line) for line in block]
        else:
            out += [_link(_prose(line)) for line in block]
        out.append("")
    return "\n".join(out)


class Markdown(griffe.Extension):
    """Rewrite each docstring when its object is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Replace the docstring by its Markdown."""
        if obj.docstring:
            obj.docstring.value = markdown(obj.docstring.value)
