"""Run a compiler or a compiled program in a process group of its own, which ends with an exception such as Ctrl-C."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..core.errors import NsnnError
from .program_progress import PERIOD

CURES = {
    errno.EACCES: "set TMPDIR and NSNN_CACHE_DIR to folders whose programs may run, on a disk that is not mounted with noexec",
    errno.EAGAIN: "raise the limit on processes (ulimit -u), or end other programs",
    errno.EMFILE: "raise the limit on open files (ulimit -n), or close some",
    errno.ENFILE: "this machine has too many open files: end other programs",
    errno.ENOENT: "install it, or add its folder to PATH",
    errno.ENOMEM: "there is too little memory: end other programs",
}
"""What helps where a process cannot be started or a file not opened, by the number of the system's error."""


class CompiledCodeError(NsnnError):
    """Code cannot be compiled here, or what has been compiled cannot be run; `engine="auto"` then uses another engine."""

    def __init__(self, reason: str, cure: str = "") -> None:
        super().__init__(f"{reason}; {cure}" if cure else reason)
        self.reason = reason


def call(
    command: Sequence[str],
    directory: str,
    environment: Mapping[str, str] | None = None,
    poll: Callable[[], Any] | None = None,
    *,
    with_parent: bool = False,
) -> tuple[int, str]:
    """Run a command in a directory and in its own process group, which ends with an exception such as Ctrl-C.

    `poll` is called five times a second. Returns its exit code and what it wrote to stderr. The working directory of this process,
    which its threads share, stays.

    with_parent : standard input is a pipe that ends with this process (`program_progress`), else it is empty
    """
    process, output = None, ""
    try:
        with _pipe(with_parent) as stdin:
            with _interrupt_later(), _named_errors(command[0]):
                process = subprocess.Popen(
                    command,
                    cwd=directory,
                    env=environment,
                    stdin=stdin,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            output = _awaited(process, poll)
    except BaseException:
        if process is not None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
            process.wait()
        raise
    return process.returncode, output


@contextlib.contextmanager
def _pipe(wanted: bool) -> Iterator[int]:
    """The end of a pipe that is read, which ends with the block and with this process."""
    if not wanted:
        yield subprocess.DEVNULL
        return
    with _named_errors("a pipe"):
        ends = os.pipe()
    try:
        yield ends[0]
    finally:
        for end in ends:
            os.close(end)


@contextlib.contextmanager
def _named_errors(name: str) -> Iterator[None]:
    """Name the limit or folder that keeps a process from starting."""
    try:
        yield
    except OSError as error:
        cure = CURES.get(error.errno or 0, "expected a command that this machine can run")
        raise CompiledCodeError(f"{name} cannot be started ({error.strerror or error}): {cure}") from error


def _awaited(process: subprocess.Popen[bytes], poll: Callable[[], Any] | None) -> str:
    """What a process has written to stderr, at its end; processes that it has left behind may hold stderr open."""
    assert process.stderr is not None
    with process.stderr:
        while True:
            ended = process.poll() is not None
            try:
                output = process.communicate(timeout=PERIOD)[1]
            except subprocess.TimeoutExpired as late:
                if not ended:
                    if poll is not None:
                        poll()
                    continue
                output = late.stderr or b""
            return output.decode(errors="replace")


@contextlib.contextmanager
def _interrupt_later() -> Iterator[None]:
    """Delay Ctrl-C until the end of the block, so that a process that has just started is known and can be ended."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return
    pending: list[tuple] = []
    signal.signal(signal.SIGINT, lambda *arguments: pending.append(arguments))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if pending:
            before(*pending[0])
