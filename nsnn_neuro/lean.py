"""Brian2's Cython code without what each step of it does in vain: a name that nothing uses, a type that can't be wrong.

Generated code begins by reading its arrays from a dictionary. Brian2 reads every variable as an object, an array and a length, and
asks each array for its type anew: a microsecond for a small group, of which a step calls many.
"""

from __future__ import annotations

import re
from typing import Any

from brian2.codegen.runtime.cython_rt import CythonCodeObject
from brian2.codegen.targets import codegen_targets

__all__ = ["TARGET", "LeanCythonCodeObject", "lean"]

TARGET = "lean_cython"  # Brian2's name of the code generation target

_BUFFER = re.compile(r"cdef _numpy\.ndarray\[[^]]*\] (_buf_\w+ = _namespace\[)")
_READ = re.compile(r"\s*(?:cdef [\w. ]+ )?(\w+) = (?:len\()?_namespace\[['\"]\w+['\"]\]\)?\s*")
_POINTER = re.compile(r"\s*cdef \w+ \* (\w+) = <\w+ \*> (_buf_\w+)\.data\s*")
_NAME = re.compile(r"\w+")


def lean(code: str) -> str:
    """The text of a Cython function without reads of what it doesn't use, its arrays taken by their data alone.

    >>> print(lean('''def main(_namespace):
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
    lines = _BUFFER.sub(r"cdef _numpy.ndarray \1", code).splitlines()
    while True:
        used: dict[str, int] = {}
        for line in lines:
            for name in _NAME.findall(re.sub(r"_namespace\[['\"]\w+['\"]\]", "", line)):
                used[name] = used.get(name, 0) + 1
        kept = []
        for line in lines:
            read = _READ.fullmatch(line) or _POINTER.fullmatch(line)
            if not (read and used[read.group(1)] == 1):
                kept.append(line)
        if len(kept) == len(lines):
            return "\n".join(kept)
        lines = kept


class LeanCythonCodeObject(CythonCodeObject):
    """Brian2's CythonCodeObject, compiled from a leaner text."""

    class_name = TARGET

    def compile_block(self, block: str) -> Any:
        """The compiled module of a block, or None."""
        setattr(self.code, block, lean(getattr(self.code, block, "")))
        return super().compile_block(block)


codegen_targets.add(LeanCythonCodeObject)
