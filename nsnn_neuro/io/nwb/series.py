"""Time series of an NWB file: regularly sampled signals, and events, epochs and irregular signals on the session's clock."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import quantities as pq

from ...core.checks import did_you_mean
from ...core.errors import FormatError
from ...core.warn import warn
from ..block import analog_signal
from ..hdf5 import Reader, is_text
from ..json_codec import parse_unit
from ..segments import sample_windows
from . import metadata, saved

_MOST_NAMED = 10  # series that a warning names
_EVEN = 0.5  # of a sampling interval, by which times of a field may deviate from even ones
MOST_BYTES = 2**29  # Of one signal: a raw recording of many electrodes does not fit into memory
_PLACES = ("stimulus/presentation", "acquisition")


def about(source: Reader) -> dict[str, Any]:
    """Identifier, session_description, session_start_time and further metadata of an NWB file."""
    texts = {key: source.text(key) for key in ("identifier", "session_description", "session_start_time")}
    plain = {key: text.decode("utf-8", "replace") for key, text in texts.items() if text is not None}
    return {**plain, **metadata.read(source)}


def paths_of(source: Reader, names: list[str] | None = None) -> list[str]:
    """Paths of the time series in acquisition and stimulus, also in containers; or of these names, processed ones too."""
    paths = _series(source, *_PLACES)
    if names is None:
        return paths
    paths += _series(source, *source.paths("processing"))
    result = []
    for name in names:
        matching = [path for path in paths if f"/{path}".endswith(f"/{name}")]
        result += matching
        if not matching:
            known = list(dict.fromkeys(path.rpartition("/")[2] for path in paths))
            raise FormatError(
                f"signals = {name!r}: no time series of this name; the file has {known}{did_you_mean(name, known)}"
            )
    return list(dict.fromkeys(result))


def _series(source: Reader, *places: str) -> list[str]:
    result = []
    for path in source.paths(*places):
        container = source.is_group(path) and f"{path}/data" not in source
        members = [member for member in source.paths(path) if f"{member}/data" in source] if container else []
        result += members or [path]
    return result


def warn_left_out(names: list[str]) -> None:
    """Warn of series that aren't read."""
    if names:
        more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
        warn(f"left out: {', '.join(names[:_MOST_NAMED])}{more}")


def signal_values(source: Reader, path: str, low: int, high: int) -> Any:
    """Samples `low` to `high` of the series at `path`, in its unit."""
    data = source.array(f"{path}/data")
    scale, shift = (
        float(source.attribute(f"{path}/data", k, d)) for k, d in (("conversion", 1.0), ("offset", 0.0))
    )
    gain: Any = 1.0
    if f"{path}/channel_conversion" in source:
        gain = source.numbers(f"{path}/channel_conversion")
    values = data[low:high].reshape(high - low, data.shape[1] if data.ndim == 2 else 1)
    return values * (scale * gain) + shift


def signal_unit(source: Reader, path: str) -> tuple[str, Any, dict[str, str]]:
    """Name and unit of the series at `path`, and its annotations: the name of a unit that is none."""
    text = str(source.attribute(f"{path}/data", "unit", ""))
    unit = parse_unit(text)
    name = path.rsplit("/", 1)[-1]
    return name, pq.dimensionless if unit is None else unit.units, {"unit": text} if unit is None else {}


def regular(
    source: Reader, path: str, start: np.ndarray, stop: np.ndarray, zero: np.ndarray
) -> list[neo.AnalogSignal] | str:
    """The regularly sampled signal at `path` in each trial, or why it is left out."""
    if f"{path}/data" not in source or f"{path}/starting_time" not in source:
        return "not sampled regularly"
    data = source.array(f"{path}/data")
    rate = float(source.attribute(f"{path}/starting_time", "rate", 0.0))
    first = float(source.numbers(f"{path}/starting_time")[()])
    if data.ndim not in (1, 2) or data.dtype.kind not in "iuf" or not rate > 0:
        return "not a signal of numbers"
    low, high = sample_windows(first, rate, len(data), start, stop, f"{path}: sampling interval")
    size = float((high - low).sum(dtype=float)) * 8 * (data.shape[1] if data.ndim == 2 else 1)
    if size > MOST_BYTES:
        return f"larger than {MOST_BYTES >> 20} MiB"
    source.budget.take(3 * size + saved.PER_SIGNAL * len(start), f"{path} in {len(start)} trials")
    name, unit, annotations = signal_unit(source, path)
    signals = []
    for i, (a, b) in enumerate(zip(low, high, strict=True)):
        at = (first + a / rate - zero[i]) * pq.s
        values = signal_values(source, path, a, b)
        signals.append(analog_signal(values, unit, at, rate * pq.Hz, annotations, name=name))
    return signals


def of_trials(
    source: Reader, start: np.ndarray, stop: np.ndarray, zero: np.ndarray, names: Any = None
) -> list[list[neo.AnalogSignal]]:
    """The regularly sampled signals of acquisition and stimulus, or of these names, in each trial; warns of what is left out."""
    signals: list[list[neo.AnalogSignal]] = [[] for _ in start]
    left_out = []
    for path in paths_of(source, names):
        result: list[neo.AnalogSignal] | str = "no time series"
        if source.is_group(path):
            result = regular(source, path, start, stop, zero)
        if isinstance(result, str):
            left_out.append(f"{path.rpartition('/')[2]} ({result})")
            continue
        for of_trial, signal in zip(signals, result, strict=True):
            of_trial += [signal] if len(signal) else []
    warn_left_out(left_out)
    return signals


def series(source: Reader, path: str) -> Any:
    """The time series at `path` as AnalogSignal, IrregularlySampledSignal or Event, all of it, or why it is left out.

    A field (ElectricalSeries) whose times are even to half a sample is an AnalogSignal.
    """
    if f"{path}/data" not in source:
        return "no data"
    data = source.array(f"{path}/data")
    if not data.shape:
        return "a single value"
    name = path.rsplit("/", 1)[-1]
    rate = source.attribute(f"{path}/starting_time", "rate", None)
    times = None
    if rate is None:
        times = source.numbers(f"{path}/timestamps").astype(float)
        if times.shape != data.shape[:1]:
            return "times and values differ in number"
    if is_text(data):
        if times is None:
            return "text without times"
        return neo.Event(times * pq.s, labels=np.array(source.texts(f"{path}/data"), dtype="U"), name=name)
    if data.ndim not in (1, 2) or data.dtype.kind not in "iuf":
        return "not a signal of numbers"
    source.budget.take(3 * 8 * data.size, f"{data.size} values of {path}")
    values = signal_values(source, path, 0, len(data))
    name, unit, annotations = signal_unit(source, path)
    if times is not None:
        if not len(times) or not np.isfinite(times).all():
            return "no valid times"
        n, lasted = len(times), times[-1] - times[0]
        deviation = np.abs(times - np.linspace(times[0], times[-1], n)).max() * (n - 1)
        field = source.attribute(path, "neurodata_type", "") == "ElectricalSeries"
        if field and n > 2 and deviation <= _EVEN * lasted > 0:
            rate = (n - 1) / lasted * pq.Hz
            return analog_signal(values, unit, times[0] * pq.s, rate, annotations, name=name)
        return neo.IrregularlySampledSignal(times * pq.s, values, units=unit, name=name, **annotations)
    first = float(source.numbers(f"{path}/starting_time")[()])
    if not 0 < float(rate) < np.inf or not np.isfinite(first):
        return "no valid rate"
    return analog_signal(values, unit, first * pq.s, float(rate) * pq.Hz, annotations, name=name)
