"""Brian2's Cython code with redundant reads removed and arrays renamed, so that equal layers share one compiled module.

Generated code starts by reading its arrays from a dictionary. Brian2 reads every variable as an object, an array and a length, and
checks the type of each array in each call, which takes about a microsecond for a small group. Names of arrays contain the name of
the group, so that four equal layers would be compiled four times; with numbered arrays they have the same code.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Mapping
from keyword import kwlist
from types import ModuleType
from typing import Any

from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.codegen.targets import codegen_targets
from brian2.utils.stringtools import deindent

from . import compiler, cython_build

TARGET = "lean_cython"  # name of the code generation target in Brian2
_OWN_BUILD = os.name != "nt"  # on Windows Brian2 finds the compiler
_OPTIONS = (
    *("include_dirs", "library_dirs", "runtime_library_dirs"),
    *("libraries", "define_macros", "extra_link_args"),
)

_BUFFER = re.compile(r"cdef _numpy\.ndarray\[[^]]*\] (_buf_\w+ = _namespace\[)")
_READ = re.compile(r"\s*(?:cdef [\w. ]+ )?(\w+) = (?:len\()?_namespace\[['\"]\w+['\"]\]\)?\s*")
_POINTER = re.compile(r"\s*cdef \w+ \* (\w+) = <\w+ \*> (_buf_\w+)\.data\s*")
_DECLARED = re.compile(r"\s+cdef [\w. ]+ (\w+)\s*")
_SUPPORT = re.compile(
    r"(?<=# support code\n)(.*?)(?=# template-specific support code\n|def main\()", re.DOTALL
)
_ARRAY = re.compile(r"_namespace\[['\"](_(?:dynamic_)?array_)(\w+)['\"]\]")
_MUTE = re.compile(r"_namespace\[['\"]\w+['\"]\]|#.*")  # names in keys and comments
_NAME = re.compile(r"[A-Za-z_]\w*")
_WORDS = frozenset({*kwlist, "_namespace", "nogil", "range", "size_t"})


def _names(code: str) -> list[str]:
    """The names in a text, except in keys of the namespace and in comments."""
    return _NAME.findall(_MUTE.sub("", code))


def trimmed(code: str) -> str:
    """The text of a Cython module without unused variables of its main function; arrays are read by their data only.

    >>> print(trimmed('''def main(_namespace):
    ...     _var_v = _namespace["_var_v"]
    ...     cdef _numpy.ndarray[double, ndim=1, mode='c'] _buf__array_v = _namespace['_array_v']
    ...     cdef double * _array_v = <double *> _buf__array_v.data
    ...     cdef size_t _num_array_v = len(_namespace['_array_v'])
    ...     _array_v[0] = 1.0'''))
    def main(_namespace):
        cdef _numpy.ndarray _buf__array_v = _namespace['_array_v']
        cdef double * _array_v = <double *> _buf__array_v.data
        _array_v[0] = 1.0
    """
    head, support, body = _SUPPORT.split(code) if _SUPPORT.search(code) else ("", "", code)
    lines = _BUFFER.sub(r"cdef _numpy.ndarray \1", body).splitlines()
    while True:
        used = Counter(_names("\n".join(lines)))
        kept = []
        for line in lines:
            unread = _READ.fullmatch(line) or _POINTER.fullmatch(line) or _DECLARED.fullmatch(line)
            if not (unread and used[unread.group(1)] == 1):
                kept.append(line)
        if len(kept) == len(lines):
            break
        lines = kept
    if used.keys().isdisjoint({*_names(support)} - {*_names(head)} - _WORDS):
        support = ""
    return head + support + "\n".join(lines)


def with_numbered_arrays(blocks: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Texts with arrays numbered in the order of their first read, and a dict of old to new names.

    >>> with_numbered_arrays({"run": "x = _namespace['_array_hidden_v']"})
    ({'run': "x = _namespace['_array_0']"}, {'_array_hidden_v': '_array_0'})
    """
    renamed: dict[str, str] = {}
    for text in blocks.values():
        for kind, rest in _ARRAY.findall(text):
            renamed.setdefault(kind + rest, f"{kind}{len(renamed)}")
    everywhere: dict[str, str] = {}
    for old, new in renamed.items():
        everywhere |= {before + old: before + new for before in ("", "_buf_", "_num")}
    for old, new in renamed.items():  # Brian2 2.10 and later: what comes out of a dynamic array's capsule
        if old.startswith("_dynamic"):
            array = old.removesuffix("_capsule")
            everywhere[f"{array}_ptr"] = f"{new}_ptr"
            everywhere.setdefault(array.removeprefix("_dynamic"), new.removeprefix("_dynamic"))
    numbered = {
        block: _NAME.sub(lambda match: everywhere.get(match.group(), match.group()), text)
        for block, text in blocks.items()
    }
    return numbered, renamed


class TrimmedCythonCodeObject(CythonCodeObject):
    """Brian2's CythonCodeObject, compiled from trimmed text with numbered arrays."""

    class_name = TARGET

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if not _OWN_BUILD:
            super().__init__(*args, **kwargs)
            return
        with compiler.flags_apart() as flags:
            super().__init__(*args, **kwargs)
        self.extra_compile_args: list[str] = flags

    def compile_block(self, block: str) -> ModuleType | None:
        """The compiled module of a block, or None if it is empty."""
        if not _OWN_BUILD or self.sources:
            return super().compile_block(block)
        code = getattr(self.code, block, "").strip()
        if not code or "EMPTY_CODE_BLOCK" in code:
            return None
        options = {name: getattr(self, name) for name in _OPTIONS}
        return cython_build.load(deindent(code), self.extra_compile_args, options)

    def compile(self) -> None:
        """Compile each block that is not empty."""
        texts = {block: getattr(self.code, block, "") for block in ("before_run", "run", "after_run")}
        blocks = {block: trimmed(text) for block, text in texts.items() if "EMPTY_CODE_BLOCK" not in text}
        blocks, renamed = with_numbered_arrays(blocks)
        for block, text in blocks.items():
            setattr(self.code, block, text)
        self.namespace: dict[str, Any] = {
            renamed.get(name, name): value for name, value in self.namespace.items()
        }
        self.nonconstant_values: list[tuple[str, Any]] = [
            (renamed.get(name, name), value) for name, value in self.nonconstant_values
        ]
        super().compile()


codegen_targets.add(TrimmedCythonCodeObject)
