"""Progress of a C++ program: it writes the completed fraction to a file five times a second, which `simulate` reads.

Brian2 before 2.10 reads the processor's clock in every step, which takes longer than the step of a small group. Here it is read in
every sixteenth step.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

PERIOD = 0.2  # s
FILE = "progress"
HEADER = "nsnn_progress.h"
HEADER_TEXT = f'#define NSNN_PERIOD {PERIOD}\n#define NSNN_PROGRESS "{FILE}"\n' + (
    Path(__file__).parent / "program_progress.h"
).read_text(encoding="utf-8")
"""C++ text of a header: functions that report the completed fraction and end the program when its parent has ended."""
_STEP = re.compile(r"^(?=\s*for\(size_t i=0; i<objects\.size\(\); i\+\+\))", re.MULTILINE)
_REPORT = "        if (++nsnn_steps % 16 == 0) nsnn_report(brian::results_dir, (t - t_start) / duration);\n"
# of Brian2 before 2.10, in each step
_TIME_TAKEN = re.compile(r"^\s*current = std::clock\(\);\n\s*elapsed_realtime = [^;]*;", re.MULTILINE)
_END = re.compile(r"^(?=\s*_last_run_time = elapsed_realtime;)", re.MULTILINE)


def with_report(network: str) -> str:
    """The C++ text of Brian2's network.cpp that writes its progress; unchanged where it has no loop over objects.

    >>> print(with_report("    for(size_t i=0; i<objects.size(); i++)"))
    #include "objects.h"
    #include "nsnn_progress.h"
    static long nsnn_steps = 0;
            if (++nsnn_steps % 16 == 0) nsnn_report(brian::results_dir, (t - t_start) / duration);
        for(size_t i=0; i<objects.size(); i++)
    >>> with_report("")
    ''
    """
    if not _STEP.search(network):
        return network
    network = _STEP.sub(_REPORT, network, count=1)
    taken = _TIME_TAKEN.search(network)
    if taken is not None and _END.search(network):
        end = _END.sub(lambda _: f"{taken[0]}\n", network[taken.end() :], count=1)
        network = (
            f"{network[: taken.start()]}\n        if (nsnn_steps % 16 == 0) {{{taken[0]}\n        }}{end}"
        )
    return f'#include "objects.h"\n#include "{HEADER}"\nstatic long nsnn_steps = 0;\n{network}'


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
