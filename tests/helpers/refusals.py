"""Tables of refusals: a call, the argument that its error names, and words of what was expected or of the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nsnn_neuro import NsnnError


def assert_refused(rows: Iterable[tuple[Callable[[], object], str, str]]) -> None:
    """Fail with the rows whose call raises no `NsnnError` that has the argument and, apart from it, the cure."""
    wrong = []
    for call, argument, cure in rows:
        message = "no error"
        try:
            call()
        except NsnnError as error:
            message = str(error)
        if argument not in message or cure not in message.replace(argument, "", 1):
            wrong.append(f"{argument!r}, {cure!r}: {message}")
    assert not wrong, "\n".join(wrong)
