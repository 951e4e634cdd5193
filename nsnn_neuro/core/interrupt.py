"""Ctrl-C while the command `nsnn` starts or ends: one line and exit code 130 instead of a traceback.

Most of the start-up time is spent in imports, during which the command cannot catch an exception.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import Any

INTERRUPTED = 130  # 128 + SIGINT, as shells count
_NAMES = ("nsnn", "nsnn.exe", "nsnn-script.py")
_MODULE = "nsnn_neuro.cli"


def is_command() -> bool:
    """Whether this process was started as `nsnn` or `python -m nsnn_neuro.cli`; False in its worker processes."""
    script = sys.argv[0] if getattr(sys, "argv", None) else ""
    given = sys.orig_argv[1:]
    if os.path.basename(script) in _NAMES and script in given:
        return True
    return ["-m", _MODULE] in [given[k : k + 2] for k in range(len(given))]


def end_quietly() -> None:
    """Let Ctrl-C end the command at once from now on; does nothing in other processes."""
    _handle(_end)


def raise_again() -> None:
    """Let Ctrl-C raise KeyboardInterrupt in the command from now on; does nothing in other processes."""
    _handle(signal.default_int_handler)


def _handle(handler: Any) -> None:
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # for instance by nohup
    if is_command() and threading.current_thread() is threading.main_thread() and not ignored:
        signal.signal(signal.SIGINT, handler)


def _end(*_: Any) -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"nsnn: interrupted\n")
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # removes temporary files
    os._exit(INTERRUPTED)
