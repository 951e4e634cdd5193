"""Ctrl-C while the command `nsnn` is starting or ending: one line and exit code 130, not a traceback.

Most of the time before the first result goes into imports, during which no code of the command can catch an exception.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from typing import Any

__all__ = ["INTERRUPTED", "end_quietly", "is_command", "raise_again"]

INTERRUPTED = 130  # 128 + SIGINT, as shells count
_NAMES = ("nsnn", "nsnn.exe", "nsnn-script.py")
_MODULE = "nsnn_neuro.cli"


def is_command() -> bool:
    """True when this process was started as `nsnn` or `python -m nsnn_neuro.cli`; its worker processes were not."""
    script = sys.argv[0] if getattr(sys, "argv", None) else ""
    given = sys.orig_argv[1:]
    if os.path.basename(script) in _NAMES and script in given:
        return True
    return ["-m", _MODULE] in [given[k : k + 2] for k in range(len(given))]


def end_quietly() -> None:
    """From here on Ctrl-C ends the command at once. In other processes: nothing happens."""
    if is_command() and _is_settable():
        signal.signal(signal.SIGINT, _end)


def raise_again() -> None:
    """From here on Ctrl-C raises KeyboardInterrupt in the command. In other processes: nothing happens."""
    if is_command() and _is_settable():
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _is_settable() -> bool:
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # by nohup, say
    return threading.current_thread() is threading.main_thread() and not ignored


def _end(*_: Any) -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"nsnn: interrupted\n")
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()  # removes temporary files
    os._exit(INTERRUPTED)
