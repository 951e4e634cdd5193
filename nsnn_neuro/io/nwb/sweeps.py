"""Intracellular recordings in an NWB file without spike times: a segment for each sweep, with its voltages and its currents.

A sweep is what the file's sweep numbers say, else what starts at one time. Its clock starts at 0 (annotation "start_time": the
start on the session's clock). Its signals are the recorded voltages first, then the injected currents, each with what the file says
of the electrode: "electrode", "bridge_balance" (ohm), "capacitance_compensation" (F), "bias_current" (A). Nothing is corrected
by these.
"""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import quantities as pq

from ...core.errors import FormatError
from ...core.warn import warn
from ..hdf5 import Reader
from ..spikes.arrays import seconds
from ..spikes.bins import rounding
from . import saved, series

_PLACES = {
    "acquisition": ("CurrentClampSeries", "IZeroClampSeries"),
    "stimulus/presentation": ("CurrentClampStimulusSeries",),
}
_NUMBERS = ("bridge_balance", "capacitance_compensation", "bias_current", "gain")
_SAME = 1e-6  # s


def paths(source: Reader) -> list[list[str]]:
    """The paths of the recorded voltages, and those of the injected currents."""
    return [
        [path for path in source.paths(place) if source.attribute(path, "neurodata_type", "") in kinds]
        for place, kinds in _PLACES.items()
    ]


def read(source: Reader, low: float, high: float) -> neo.Block:
    """The sweeps that lie between low and high (s, session's clock)."""
    voltages, currents = paths(source)
    left_out: list[str] = []
    sweeps: dict[tuple[str, int], list[tuple[bool, float, neo.AnalogSignal]]] = {}
    for path in (*voltages, *currents):
        signal = series.series(source, path)
        if not isinstance(signal, neo.AnalogSignal):
            left_out.append(
                f"{path.rpartition('/')[2]} ({signal if isinstance(signal, str) else 'not sampled regularly'})"
            )
            continue
        signal.annotations.update(_about(source, path))
        begin = float(seconds(signal.t_start))
        number = source.attribute(path, "sweep_number", None)
        key = ("start", round(begin / _SAME)) if number is None else ("number", int(number))
        sweeps.setdefault(key, []).append((path in voltages, begin, signal))
    series.warn_left_out(left_out)
    whole = [one for one in sweeps.values() if any(recorded for recorded, _, _ in one)]
    if len(whole) < len(sweeps):
        warn(f"{len(sweeps) - len(whole)} sweeps left out: a current without a recorded voltage")
    if not whole:
        raise FormatError("no sweep with a regularly sampled voltage in it")
    whole.sort(key=lambda one: min(begin for _, begin, _ in one))
    kept = []
    for sweep in whole:
        begin = min(start for recorded, start, _ in sweep if recorded)
        segment = neo.Segment()
        segment.annotations["start_time"] = begin
        for _, start, signal in sorted(sweep, key=lambda one: not one[0]):
            signal.t_start = (start - begin) * pq.s
            segment.analogsignals.append(signal)
        end = begin + max(float(seconds(one.t_stop)) for one in segment.analogsignals)
        apart = rounding(begin, end)
        kept += [segment] if begin >= low - apart and end <= high + apart else []
    if not kept:
        raise FormatError(
            f"t_start = {low} s, t_stop = {high} s: none of its {len(whole)} sweeps lies between them"
        )
    source.budget.take(saved.PER_TRIAL * len(kept), f"{len(kept)} sweeps")
    block = neo.Block()
    block.annotations["nwb"] = series.about(source)
    for k, segment in enumerate(kept):
        segment.index = k
    block.segments.extend(kept)
    return block


def _about(source: Reader, path: str) -> dict[str, Any]:
    """What the file says of the electrode of a series."""
    result: dict[str, Any] = {}
    description = source.attribute(path, "stimulus_description", "")
    if description:
        result["stimulus_description"] = description
    for name in _NUMBERS:
        if f"{path}/{name}" in source:
            value = source.numbers(f"{path}/{name}")
            if value.size == 1 and np.isfinite(value).all():
                result[name] = float(value.reshape(-1)[0])
    electrode = source.find(f"{path}/electrode")
    if electrode is not None:
        result["electrode"] = str(electrode.name).rpartition("/")[2]
    return result
