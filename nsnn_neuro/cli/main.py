"""The command `nsnn`: parses the arguments, runs the command that they name, turns errors into exit codes.

Exit codes: 0 success; 1 a certificate, a study's claim or points of a sweep failed; 2 bad input, explained in one line on stderr;
3 an error inside the package (the environment variable NSNN_DEBUG=1 shows its traceback); 130 interrupted; 141 the reader of the
output closed it. Results go to stdout, everything else to stderr.

Each command is a module, whose docstring is its help, with `add_arguments` and `run`. Only `run` imports what takes time, so that
`nsnn --help` is fast.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import gc
import os
import re
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

from ..core import brian_import, interrupt
from ..core.errors import NsnnError
from . import (
    cache,
    certify,
    check,
    demo,
    example,
    explore,
    info,
    measure,
    notebooks,
    plot,
    simulate,
    study,
    sweep,
)
from .output import say, version

BAD_INPUT, INTERNAL, BROKEN_PIPE = 2, 3, 141
_COMMANDS = (
    demo, example, explore, simulate, sweep, measure, plot, info, check, certify, study, notebooks, cache,
)  # fmt: skip
_NO_MEMORY = (
    "not enough memory for so many neurons, trials, steps or spikes, or a limit (ulimit -v) is too low"
)
_DEEPEST = 20  # causes of an error that are looked at


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command `nsnn` with the arguments `argv` (default: those of the process) and return its exit code.

    >>> main(["info", "no_such_file.nwb"])
    2
    """
    try:
        return _run(argv)
    except KeyboardInterrupt as end:
        return _fail(interrupt.INTERRUPTED, str(end) or "interrupted")
    finally:
        if argv is None:
            gc.freeze()  # the process ends, and need not search for garbage


def _run(argv: Sequence[str] | None) -> int:
    try:
        interrupt.raise_again()
        with warnings.catch_warnings():
            warnings.showwarning = functools.partial(_show_warning, set())
            arguments = _parse(argv)
            if argv is None:
                brian_import.for_command()
            code = arguments.run(arguments)
            sys.stdout.flush()
    except SystemExit as end:  # argparse: --help, --version, wrong arguments
        return int(end.code or 0)
    except BrokenPipeError:
        with contextlib.suppress(OSError, ValueError):  # nothing more goes to stdout, not even at the end
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, sys.stdout.fileno())
            os.close(null)
        return BROKEN_PIPE
    except (NsnnError, OSError) as error:
        message = str(error)
        if isinstance(error, OSError) and error.strerror:
            message = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        return _fail(BAD_INPUT, message)
    except MemoryError:
        return _fail(BAD_INPUT, _NO_MEMORY)
    except Exception as error:
        if _lacks_memory(error):
            return _fail(BAD_INPUT, _NO_MEMORY)
        return _fail(
            INTERNAL, f"internal error, {type(error).__name__}: {error} (NSNN_DEBUG=1 shows the traceback)"
        )
    finally:
        interrupt.end_quietly()
    return int(code or 0)


class _Parser(argparse.ArgumentParser):
    """A parser that reports an error in one line, with a suggestion."""

    def error(self, message: str) -> NoReturn:
        """Print `message` with the closest known word, and end."""
        from ..core.checks import did_you_mean

        hint = ""
        if word := re.search(r"invalid choice: '(.*?)' \(choose from (.*)\)", message):
            hint = did_you_mean(word[1], re.findall(r"[\w-]+", word[2]))
        elif word := re.search(r"unrecognized arguments: (\S+)", message):
            hint = did_you_mean(word[1].split("=")[0], re.findall(r"--[\w-]+", self.format_usage()))
        say(f"{message}{hint} (see {self.prog} --help)")
        raise SystemExit(BAD_INPUT)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = _Parser(
        prog="nsnn",
        description="Simulate noisy spiking neurons, measure and plot spike trains, check models against theory.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"nsnn {version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        name, text = command.__name__.rpartition(".")[2], (command.__doc__ or ": ").partition(": ")[2]
        one = commands.add_parser(
            name, help=text.rstrip("."), description=f"{text[:1].upper()}{text[1:]}", allow_abbrev=False
        )
        command.add_arguments(one)
        one.set_defaults(run=command.run, parser=one)
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:
        arguments.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return arguments


def _fail(code: int, message: str) -> int:
    if os.environ.get("NSNN_DEBUG", "0") not in ("", "0"):
        traceback.print_exc()
    say(message)
    return code


def _lacks_memory(error: BaseException | None) -> bool:
    """Whether memory ended: Brian2 wraps the errors of its objects; where it is limited (ulimit -v), libraries cannot be loaded."""
    import resource

    limited = resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY
    seen = 0
    while error is not None and seen < _DEEPEST:
        if isinstance(error, MemoryError) or (limited and isinstance(error, ImportError | SystemError)):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def _show_warning(shown: set[str], message: Warning | str, *_: Any, **__: Any) -> None:
    """Print a warning unless `shown` has its text: a command may run hundreds of simulations without a compiler."""
    if str(message) not in shown:
        shown.add(str(message))
        say(f"warning: {message}")
