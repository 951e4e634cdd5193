"""Warnings that point at the user's line, however deep in the package their cause is found."""

from __future__ import annotations

import sys
import warnings
from types import FrameType

# what may stand between two functions of the package, or between it and the user's line
_BETWEEN = ("nsnn_neuro", "contextlib", "functools", "importlib", "lazy_loader")
# pages of the documentation; the name of a section follows, f"...{TRUST}few trials"
TRUST = '; see the documentation, "When not to trust information": '
FIT_RIGHT = '; see the documentation, "Is my fit right?": '


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warn at the line outside the package from which it was called."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_between(frame):
        frame = frame.f_back
    warnings.warn_explicit(
        message,
        category,
        filename=frame.f_code.co_filename,
        lineno=frame.f_lineno,
        module=str(frame.f_globals.get("__name__", "<unknown>")),
        registry=frame.f_globals.setdefault("__warningregistry__", {}),
    )


def _is_between(frame: FrameType) -> bool:
    name = str(frame.f_globals.get("__name__", ""))
    code = frame.f_code
    made = code.co_filename == "<string>" and code.co_name == "__init__"  # of a dataclass in the user's file
    return name.partition(".")[0] in _BETWEEN or made or code.co_filename.startswith("<frozen importlib")
