"""Progress of a C++ program: it writes the completed fraction to a file five times a second, which `simulate` reads.

Brian2 reads the processor's clock in every step, and for its own report for every object in it, which takes longer than the step
of a small group. Here it is read in every sixteenth step.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

PERIOD = 0.2  # s
FILE = "progress"
_TIME_TAKEN = re.compile(r"^\s*current = std::clock\(\);\n\s*elapsed_realtime = [^;]*;", re.MULTILINE)
_END = re.compile(r"^(?=\s*_last_run_time = elapsed_realtime;)", re.MULTILINE)
_REPORT = f"""
            static double nsnn_next = {PERIOD};
            if (nsnn_next > elapsed_realtime + 2 * {PERIOD}) nsnn_next = elapsed_realtime + {PERIOD}; /* another run */
            if (elapsed_realtime > nsnn_next) {{
                nsnn_next = elapsed_realtime + {PERIOD};
                std::ofstream(brian::results_dir + "{FILE}") << (t - t_start) / duration;
            }}"""


def with_report(network: str) -> str:
    """The C++ text of Brian2's network.cpp that writes its progress; unchanged where it does not take the time in each step.

    >>> loop = "    current = std::clock();\\n    elapsed_realtime = 0.1;\\n  _last_run_time = elapsed_realtime;"
    >>> print(with_report(loop)[:39])
    #include <fstream>
    #include "objects.h"
    >>> with_report(loop).count("clock()"), with_report("")
    (2, '')
    """
    taken = _TIME_TAKEN.search(network)
    if taken is None or not _END.search(network):
        return network
    begin, end = f"{network[: taken.start()]}\n        if (++nsnn_steps % 16 == 0) {{", network[taken.end() :]
    end = _END.sub(lambda _: f"{taken[0]}\n", end, count=1)
    text = f"{begin}{taken[0]}{_REPORT}\n        }}{end}"
    return f'#include <fstream>\n#include "objects.h"\nstatic long nsnn_steps = 0;\n{text}'


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
