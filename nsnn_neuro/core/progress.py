"""The progress bar of everything that runs long, in a terminal and in a Jupyter notebook: the argument `progress`.

None shows a bar after a second, in a terminal or notebook, unless the environment variable CI is set; True always, False never.
A function is called with the completed fraction instead. Where a bar may be shown, `announce` prints a line.
"""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import Any

from .errors import NsnnError
from .units import shown

Report = Callable[[float], Any]  # A function of the completed fraction, 0 to 1
DELAY = 1.0  # s; what takes less shows no bar

_OUTSIDE: set[str] = set()  # no bar is open; also the lines that `announce` has printed then


class _Outermost(threading.local):
    """The outermost bar of this thread: the lines that `announce` has printed; None: the bar is hidden."""

    lines: set[str] | None = _OUTSIDE


_outermost = _Outermost()


def resolve_progress(progress: Any) -> bool | Report:
    """The argument `progress` as True, False or a function; None becomes True in a terminal or notebook without CI."""
    if progress is None:
        ipython = sys.modules.get("IPython")
        in_notebook = ipython is not None and hasattr(ipython.get_ipython(), "kernel")
        return not os.environ.get("CI") and (sys.stderr.isatty() or in_notebook)
    if callable(progress):
        return progress
    if type(progress).__name__ in ("bool", "bool_"):  # NumPy's too
        return bool(progress)
    raise NsnnError(
        f"progress = {shown(progress)}: expected None, True, False or a function of the completed fraction"
    )


@contextlib.contextmanager
def progress_bar(
    progress: Any, title: str, total: int = 100, *, unit: str = "%", initial: int = 0
) -> Iterator[Report | None]:
    """A function to call with the completed fraction, or None where nothing shows it.

    progress : None, True, False or a function of the completed fraction
    total, unit : length of the bar, in `unit`
    initial : what of `total` was done before; the time left is estimated without it
    """
    resolved = resolve_progress(progress)
    if callable(resolved):
        yield resolved
        return
    with _bar_shown_or_hidden(resolved):
        if not resolved:
            yield None
            return
        with _bar(title, total, unit, initial) as report:
            yield report


@contextlib.contextmanager
def _bar_shown_or_hidden(is_shown: bool) -> Iterator[None]:
    """Let this bar, unless it is inside another, decide whether `announce` prints."""
    before = _outermost.lines
    if before is _OUTSIDE:
        _outermost.lines = set() if is_shown else None
    try:
        yield
    finally:
        _outermost.lines = before


def announcing(progress: Any = None) -> contextlib.AbstractContextManager[None]:
    """A block in which `announce` prints where `progress` shows bars; inside a bar, that bar decides."""
    return _bar_shown_or_hidden(resolve_progress(progress) is True)


def announce(line: str) -> None:
    """Print a line on stderr if the outermost progress bar is shown, once per bar.

    Outside a bar: once per process, where `progress=None` shows bars.
    """
    lines = _outermost.lines
    if lines is None or line in lines or (lines is _OUTSIDE and not resolve_progress(None)):
        return
    lines.add(line)
    _tqdm().write(line, file=sys.stderr)


def _tqdm() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets a notebook gets a bar of text, which will do
        from tqdm.auto import tqdm
    return tqdm


@contextlib.contextmanager
def _bar(title: str, total: int, unit: str, initial: int) -> Iterator[Report]:
    step = 0.1 if unit == "%" else 1  # smoothing=0: the time left follows from the mean speed
    with _tqdm()(
        total=total, desc=title, unit=unit, initial=initial, smoothing=0, leave=False, delay=DELAY, file=sys.stderr
    ) as bar:  # fmt: skip

        def report(fraction: float) -> None:
            bar.update(round(step * math.floor(total * fraction / step + 1e-6), 1) - bar.n)

        yield report
