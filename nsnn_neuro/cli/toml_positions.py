"""The line of each key in a TOML file, which the standard library's reader does not report."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

Keys = tuple[str, ...]

_TOKEN = re.compile(
    r"""(?P<skip>[ \t\r]+|\#[^\n]*)|(?P<newline>\n)
    |(?P<word>\"{3}(?:\\.|[^\\])*?\"{3,5}|'{3}.*?'{3,5}|"(?:\\.|[^"\\\n])*"|'[^'\n]*'|[^][{}=,.\#"'\s]+)
    |(?P<mark>[][{}=,.])""",
    re.VERBOSE | re.DOTALL,
)


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    """Words, marks and line ends of valid TOML, with their line."""
    line = 1
    for match in _TOKEN.finditer(text):
        if match.lastgroup != "skip":
            yield match[0], line
        line += match[0].count("\n")
    yield "\n", line


def longest_key(text: str) -> int:
    """The number of parts of the longest dotted key in `text`, TOML or not: the standard library's reader takes its square in time.

    >>> longest_key('noise.family.sigma = 1.5'), longest_key("a" + ".a" * 1000 + " = 1")
    (3, 1001)
    """
    longest, parts, joined = 0, 0, False
    for token, _ in _tokens(text):
        if token == ".":
            joined = parts > 0
            continue
        parts = 0 if token in "[]{}=,\n" else parts + 1 if joined else 1
        longest, joined = max(longest, parts), False
    return longest


def key_lines(text: str) -> dict[Keys, int]:
    """The line of each key and table in `text`, valid TOML, by dotted path; the first line of one that is repeated.

    >>> lines = key_lines('[noise]\\ntype = "EscapeNoise"\\nfamily = {type = "Gaussian", sigma = 0.4}')
    >>> lines["noise",], lines["noise", "family", "sigma"]
    (1, 3)
    """
    lines: dict[Keys, int] = {}
    table: Keys = ()
    key: list[str] = []
    around: list[tuple[str, Keys]] = []  # open brackets of a value, each with the path it belongs to
    header, in_key = False, True
    path: Keys = ()
    for token, line in _tokens(text):
        if in_key and token in ("=", "\n", "]", "}") and key:
            base = () if header else around[-1][1] if around else table
            path = (*base, *key)
            for k in range(1, len(path) + 1):
                lines.setdefault(path[:k], line)
            table = path if header else table
            key, in_key = [], token != "="
        if token == "\n" and not around:
            header, in_key = False, True
        elif token in "[{" and in_key and not around:
            header = True
        elif token in "[{" and not in_key:
            around.append((token, path))
            in_key = token == "{"
        elif token in "]}" and around:
            around.pop()
            in_key = False
        elif token == "," and around:
            in_key, path = around[-1][0] == "{", around[-1][1]
        elif in_key and token not in ".\n[]":
            key.append(str(tomllib.loads(f"k = {token}")["k"]) if token[0] in "\"'" else token)
    return lines
