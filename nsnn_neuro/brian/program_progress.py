"""Progress of a C++ program: it writes the completed fraction to a file five times a second, which `simulate` reads.

Brian2's own report reads the processor's clock for every object in every step, which takes longer than the step of a small group.
Here the time that Brian2 takes once per step anyway is compared.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

PERIOD = 0.2  # s
FILE = "progress"
_TIME_TAKEN = re.compile(r"^\s*elapsed_realtime = [^;]*;", re.MULTILINE)
_REPORT = f"""
        static double nsnn_next = {PERIOD};
        if (nsnn_next > elapsed_realtime + 2 * {PERIOD}) nsnn_next = elapsed_realtime + {PERIOD}; /* another run */
        if (elapsed_realtime > nsnn_next) {{
            nsnn_next = elapsed_realtime + {PERIOD};
            std::ofstream(brian::results_dir + "{FILE}") << (t - t_start) / duration;
        }}"""


def with_report(network: str) -> str:
    """The C++ text of Brian2's network.cpp that writes its progress; unchanged where it does not take the time in each step.

    >>> print(with_report("    elapsed_realtime = 0.1;")[:44])
    #include <fstream>
    #include "objects.h"
    <BLANKLINE>
    """
    text, count = _TIME_TAKEN.subn(lambda match: match[0] + _REPORT, network, count=1)
    return f'#include <fstream>\n#include "objects.h"\n{text}' if count else network


def reader(results: Path, report: Callable[[float], Any] | None) -> Callable[[], None] | None:
    """A function that reports the progress of a program with this folder of results, or None where nothing shows it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     poll = reader(Path(folder), print)
    ...     poll()
    ...     _ = (Path(folder) / "progress").write_text("0.25")
    ...     poll()
    0.25
    """
    if report is None:
        return None

    def poll() -> None:
        # the program may be writing: the next time will do
        with contextlib.suppress(OSError, ValueError):
            report(min(1.0, float((results / FILE).read_text(encoding="ascii"))))

    return poll
