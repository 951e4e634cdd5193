"""Text files of spike times, in double precision; a warning says what was assumed.

`load` describes the format. A header is a comment too, and t_stop may have its own unit, "# t_stop: 0.5 s". The recording is
taken to last from 0, or from the first spike where that is before 0.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from ...core.errors import FormatError
from ...core.file_limits import Budget
from ...core.warn import warn
from .doubts import PER_SECOND, likely_unit
from .sources import Source, of_trains

_BYTES = 60  # of memory that each byte of the text may take
_LONGEST = 100  # characters of a number, or of what is read of a comment
_NAMES = r"(?:(ms|msecs?|milliseconds?)|([uµμ]s|[uµμ]secs?|microseconds?)|(s|secs?|seconds?))"
_UNIT = re.compile(rf"(?<![\w'’]){_NAMES}(?!\w)", re.IGNORECASE)
_STATED = re.compile(rf"\bunits?\s*[:=]?\s*[\[(]?{_NAMES}(?!\w)", re.IGNORECASE)
_END = re.compile(rf"\bt_stop\s*[:=]\s*([-+.\deE]+)\s*{_NAMES}?\s*$", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?")
_CURE = "or read the file yourself and hand the spike times to to_block"


def read_text(
    path: Path, budget: Budget, t_start: float | None = None, t_stop: float | None = None
) -> Source:
    """The spikes in a text file; warns with what was assumed: unit, layout and duration.

    t_start, t_stop : s, between which the caller will keep spikes; t_stop may be later than the file's end. FormatError if the text
        has no units and none of its spikes would be left
    """
    budget.take(_BYTES * path.stat().st_size, "its text")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FormatError("no text in UTF-8, and so no text file of spike times") from None
    lines = re.split(r"\r\n|\r|\n", text)
    if len(lines) > 1 and re.fullmatch(r"(?!nan|inf)[\"']?[a-z][^,;\t]*", lines[0].strip(), re.I):  # a header
        lines[0] = "# " + lines[0].replace("_", " ").strip("\"'")
    numbered = [(k, line) for k, line in enumerate(map(str.strip, lines), 1)]
    comments = [line[1:_LONGEST] for _, line in numbered if line.startswith(("#", "%"))]
    numbered = [(k, line) for k, line in numbered if not line.startswith(("#", "%"))]
    ends = [match for match in map(_END.search, comments) if match]
    unit = _stated_unit([comment for comment in comments if not _END.search(comment)])
    rows = [(k, _times(k, line)) for k, line in numbered]
    _refuse_decimal_commas([line for _, line in numbered])
    filled = [place for place, (_, times) in enumerate(rows) if times.size]
    if not filled:
        raise FormatError("no spike times in it")
    rows = rows[filled[0] : filled[-1] + 1]
    layout, trains = _neurons(rows)
    trains = [train / PER_SECOND[unit or "s"] for train in trains]
    times = np.concatenate(trains)
    start, last, stop = min(0.0, float(times.min())), float(times.max()), _stated_end(ends, unit)
    if stop is not None and stop < last:
        raise FormatError(
            f"t_stop = {stop:.6g} s in its comments, but a spike at {last:.6g} s: expected a later t_stop; or name the unit of the "
            "times in a line such as '# unit: ms'"
        )
    known = max((end for end in (stop, t_stop) if end is not None), default=last)
    stop = max(last, known)
    if not start < stop:
        raise FormatError(
            "a single spike at 0: the duration of the recording is unknown; write a line such as '# t_stop: 0.5'"
        )
    end = stop if t_stop is None else t_stop
    until = "the last spike" if t_stop is None and stop == last else f"{end:.6g} s, as t_stop says"
    begin = start if t_start is None else max(start, t_start)
    said = f"unit {unit}, as its comments say" if unit else "the text has no units: taken as seconds"
    lost = _lost(times, t_start, t_stop, unit)
    silent = sum(not train.size for train in trains)
    cure = "" if unit else "; if that is wrong, write a first line such as '# unit: ms'"
    rate = times.size / (stop - start) / (len(trains) - silent)
    if unit is None and (other := likely_unit(rate)):
        cure = f"; {rate:.2g} spikes a second and neuron make it likely that the unit is {other}{cure}"
    warn(
        f"{said}; {layout}{f', {silent} of them silent' if silent else ''}; {times.size} spikes from {times.min():.6g} to "
        f"{last:.6g} s; the recording is taken to last from {begin:.6g} s to {until}{lost}{cure}"
    )
    return of_trains(trains, 1, len(trains), t_start=np.array([start]), t_stop=np.array([stop]))


def _lost(times: np.ndarray, t_start: float | None, t_stop: float | None, unit: str | None) -> str:
    """How many spikes lie outside t_start to t_stop; FormatError where all do and the text has no units."""
    before = 0 if t_start is None else int((times < t_start).sum())
    # a spike at the end of the recording is part of it, one at an earlier t_stop is not
    after = 0 if t_stop is None or t_stop >= times.max() else int((times >= t_stop).sum())
    places = [f"{before} before t_start = {t_start} s"] * bool(before)
    where = " and ".join(places + [f"{after} from t_stop = {t_stop} s on"] * bool(after))
    if unit is None and before + after == times.size:
        raise FormatError(
            f"all {times.size} spikes, from {times.min():.6g} to {times.max():.6g} s, lie outside the recording, {where}: the "
            "text has no units and is read in seconds: if the times are milliseconds, write a first line '# unit: ms'; else "
            "give t_start and t_stop in seconds that hold them"
        )
    return f"; {before + after} of {times.size} spikes are dropped, {where}" if where else ""


def _unit_of(*names: str | None) -> str:
    """The unit of a match of `_NAMES`, "" without one."""
    return next((unit for unit, name in zip(("ms", "us", "s"), names, strict=True) if name), "")


def _stated_unit(comments: list[str]) -> str | None:
    """The unit that the comments name: after the word unit, else the only one."""
    for pattern in (_STATED, _UNIT):
        result = {_unit_of(*match.groups()) for comment in comments for match in pattern.finditer(comment)}
        if len(result) > 1:
            raise FormatError(
                f"its comments name several units, {', '.join(sorted(result))}: write a line such as '# unit: ms'"
            )
        if result:
            return result.pop()
    return None


def _stated_end(ends: list[re.Match[str]], unit: str | None) -> float | None:
    """The end of the recording (s) that a comment states, in its own unit or the file's."""
    if len({match.group(0) for match in ends}) > 1:
        raise FormatError("its comments have several t_stop: expected one line such as '# t_stop: 0.5'")
    if not ends:
        return None
    text, *names = ends[0].groups()
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise FormatError(
            f"t_stop: {text[:40]!r} is no finite number: expected a line such as '# t_stop: 0.5'"
        )
    return float(text) / PER_SECOND[_unit_of(*names) or unit or "s"]


def _times(number: int, line: str) -> np.ndarray:
    """The numbers of a line."""
    tokens = [token for token in re.split(r"[\s,;]+", line) if token]
    for token in tokens:
        if len(token) > _LONGEST or not token.isascii() or not _NUMBER.fullmatch(token):
            raise FormatError(
                f"line {number}: {token[:40]!r} is no number: expected spike times; begin comments with #, {_CURE}"
            )
    times = np.array([float(token) for token in tokens])
    if not np.isfinite(times).all():
        raise FormatError(f"line {number}: a time beyond the range of numbers")
    return times


def _refuse_decimal_commas(lines: list[str]) -> None:
    tokens = [token for line in lines for token in re.split(r"[\s;]+", line.strip()) if token]
    if any("," in token for token in tokens) and all(
        re.fullmatch(r"[+-]?\d+(,\d+)?", token) for token in tokens
    ):
        first = next(token for token in tokens if "," in token)
        raise FormatError(
            f"{first[:40]!r} may be one number or two: write decimal points, and separate times by spaces, {_CURE}"
        )


def _neurons(rows: list[tuple[int, np.ndarray]]) -> tuple[str, list[np.ndarray]]:
    """What was assumed of the layout, and the times of each neuron."""
    sizes = {times.size for _, times in rows}
    if sizes == {1} and len(rows) > 1:
        column = np.concatenate([times for _, times in rows])
        falls = np.flatnonzero(np.diff(column) < 0)
        if falls.size:
            raise FormatError(
                f"one time a line, but line {rows[falls[0] + 1][0]} is earlier than the one before: expected the times of one "
                f"neuron, in order; write each neuron's times in one line, {_CURE}"
            )
        return f"the {len(rows)} lines of one time each are one neuron", [column]
    if sizes == {0, 1}:
        raise FormatError(
            f"lines of one time each with empty lines between: these may be neurons, trials or gaps; write each neuron's times in "
            f"one line, {_CURE}"
        )
    for number, times in rows:
        if (np.diff(times) < 0).any():
            raise FormatError(
                f"line {number}: the numbers don't ascend, and so are no spike times of one neuron: expected a line for each "
                f"neuron, {_CURE}"
            )
    return f"each of {len(rows)} lines is a neuron" if len(rows) > 1 else "its line is one neuron", [
        t for _, t in rows
    ]
