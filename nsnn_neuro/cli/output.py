"""What the commands share: lines on stdout and stderr, tables as text, names of output files, Ctrl-C."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import NsnnError

if TYPE_CHECKING:
    import neo


def version() -> str:
    """The version of the package."""
    return str(importlib.import_module("nsnn_neuro").__version__)


def printable(text: str) -> str:
    """`text` with control characters as escape sequences.

    >>> print(printable("a\\x1bb"))
    a\\x1bb
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def say(message: str) -> None:
    """Print a message on stderr, in one line."""
    print(f"nsnn: {printable(' '.join(message.splitlines()))}", file=sys.stderr, flush=True)


def show(text: str) -> None:
    """Print `text` on stdout, with characters that its encoding lacks replaced."""
    encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
    if "±".encode(encoding, "replace") == b"?":
        text = text.replace("±", "+/-")
    print(text.encode(encoding, "backslashreplace").decode(encoding), end="")


def counted(n: int, noun: str) -> str:
    """A number and what it counts.

    >>> counted(1, "trial"), counted(2, "trial")
    ('1 trial', '2 trials')
    """
    return f"{n} {noun}{'' if n == 1 else 's'}"


def size_of(block: neo.Block) -> str:
    """The size of a recording: trials, neurons, spikes and the mean rate."""
    from ..measures import as_trains

    trains = as_trains(block)
    n = trains.times.size
    exposure = float(trains.durations.sum()) * trains.n_neurons
    rate = f" ({n / exposure:.4g} Hz)" if exposure else ""
    parts = ((trains.n_trials, "trial"), (trains.n_neurons, "neuron"), (n, "spike"))
    return f"{', '.join(counted(*part) for part in parts)}{rate}"


def with_error(value: float, se: float) -> str:
    """`value` ± `se`, both to the second digit of se; the value alone where there is no such error.

    >>> [with_error(v, se) for v, se in ((10.28, 0.1014), (0.95279, 0.00733), (1234.5, 99.6))]
    ['10.28 ± 0.10', '0.9528 ± 0.0073', '1234 ± 100']
    >>> [with_error(v, se) for v, se in ((12.3456, math.nan), (12.3456, 0.0), (1.0, 1e-17), (3.0, math.inf))]
    ['12.35', '12.35', '1', '3']
    >>> with_error(math.nan, 1.0)
    '-'
    """
    if math.isnan(value):
        return "-"
    if not 1e-6 * abs(value) < se < math.inf:
        return f"{value:.4g}"
    digits = max(0, 1 - math.floor(math.log10(se)))
    return f"{value:.{digits}f} ± {se:.{digits}f}"


def aligned(rows: list[list[str]], left: Iterable[int] = (0,)) -> str:
    """Rows of text as columns, those in `left` aligned to the left, the others to the right.

    >>> print(aligned([["file", "cv"], ["a.nwb", "0.95"]]), end="")
    file     cv
    a.nwb  0.95
    """
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    text = ""
    for row in rows:
        cells = [
            cell.ljust(width) if k in left else cell.rjust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        text += "  ".join(cells).rstrip() + "\n"
    return text


def output_path(path: str, endings: Iterable[str], *inputs: str) -> Path:
    """The path of a file to write, not one of the `inputs`, checked before any work is done."""
    target = Path(path)
    if target.suffix.lower().lstrip(".") not in endings:
        raise NsnnError(f"-o {path}: expected a name that ends in .{' .'.join(endings)}")
    if target.is_dir():
        raise NsnnError(f"-o {path}: that is a folder: expected the name of a file")
    if not target.parent.is_dir():
        raise NsnnError(f"-o {path}: there is no folder {target.parent}")
    if not os.access(target.parent, os.W_OK):
        raise NsnnError(f"-o {path}: the folder {target.parent} is not writable")
    if target.exists() and any(os.path.exists(one) and target.samefile(one) for one in inputs):
        raise NsnnError(f"-o {path}: that is the input, which would be overwritten")
    return target


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt; Brian2's own handler would end the run early without an error."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
