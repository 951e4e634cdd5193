"""Reading stimuli and responses of trials: numbers with or without a unit, texts, Blocks and tables of counts."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ...core.checks import positive
from ...core.errors import NsnnError
from ...core.units import floats, is_quantity, shown, si, unit_of
from ...io.lookup import refuse_missing
from ..limits import mean_limits
from ..response_checks import array_of, as_samples
from ..trains import as_trains, holds_blocks, time_window


def read_stimulus(stimulus: Any, n: int, name: str = "stimulus") -> tuple[np.ndarray, str]:
    """Stimuli of n trials: finite floats or texts (n,), and their unit, "1" for plain numbers and texts."""
    if isinstance(stimulus, list | tuple) and len(stimulus) and all(map(is_quantity, stimulus)):
        raise NsnnError(f"{name} is a list of quantities: expected one quantity, such as [0, 90] * deg")
    unit = unit_text(stimulus)
    raw = stimulus if unit != "1" else array_of(stimulus, name)
    if np.shape(raw) != (n,):
        raise NsnnError(f"{name} has shape {np.shape(raw)}: expected ({n},), one value for each trial")
    if unit == "1" and raw.dtype.kind in ("O", "U") and all(isinstance(value, str) for value in raw.flat):
        return raw.astype(str), "1"
    if unit == "1" and raw.dtype.kind == "O" and any(isinstance(value, str) for value in raw.flat):
        refuse_missing(raw.tolist(), name)
    values = in_unit(raw, unit, name)
    if not np.isfinite(values).all():
        k = int(np.argmin(np.isfinite(values)))
        raise NsnnError(f"{name}[{k}] = {values[k]}: expected finite numbers; leave such trials out")
    return values, unit


def in_unit(values: Any, unit: str, name: str) -> np.ndarray:
    """`values` as floats in `unit`; plain numbers are taken to be in it."""
    if not is_quantity(values):
        plain = values.magnitude if isinstance(values, pq.Quantity) else values
        texts = ", or texts for stimuli without an order" if name == "stimulus" else ""
        return floats(plain, name, f"numbers{texts}")
    wrong = f"{name} = {shown(values)}: expected {'plain numbers' if unit == '1' else f'values in {unit}'}, as stimuli or signals"
    if isinstance(values, pq.Quantity) and unit != "1":
        try:
            return floats(values.rescale(unit).magnitude, name, f"values in {unit}")
        except (ValueError, LookupError):
            raise NsnnError(wrong) from None
    if unit == "1" or unit_of(values) != unit:
        raise NsnnError(wrong)
    return np.asarray(si(values, unit, name))


def limits_by_stimulus(
    label: np.ndarray, responses: np.ndarray, scale: str = "positive"
) -> tuple[np.ndarray, np.ndarray]:
    """95 % limits of the mean responses to each stimulus, lower and upper, each (n_neurons, n_stimuli)."""
    groups = [mean_limits(responses[label == k], scale=scale) for k in range(int(label.max()) + 1)]
    lower, upper = np.stack(groups, axis=-1)
    return lower, upper


def unit_text(values: Any) -> str:
    """The unit of values, "1" for plain numbers and texts."""
    if isinstance(values, pq.Quantity):
        return str(values.dimensionality) if is_quantity(values) else "1"
    return unit_of(values) if is_quantity(values) and unit_of(values) != "?" else "1"


def read_responses(block: Any, window: Any, name: str = "block") -> tuple[np.ndarray, str]:
    """Responses (n_trials, n_neurons) and their unit: rates of a Block in Hz; of a table what it holds, in Hz with a window."""
    if holds_blocks(block):
        trains = as_trains(block, *_ends(block, window), name=name)
        if not (trains.durations > 0).all():
            raise NsnnError(
                f"{name} has trials of unknown duration: give window = (start, stop), in which spikes are counted"
            )
        return trains.counts / trains.durations[:, None], "Hz"
    if isinstance(block, pq.Quantity) and is_quantity(block):
        if unit_of(block) != "Hz" or window is not None:
            raise NsnnError(
                f"{name} has the unit {block.dimensionality}: expected plain counts, or rates in Hz"
            )
        return as_samples(si(block, "Hz", name), name), "Hz"
    values = as_samples(block, name)
    if window is None:
        return values, "1"
    start, stop = _window(window)
    return values / (stop - (start or 0.0)), "Hz"


def _window(window: Any) -> tuple[float | None, float]:
    """Start and stop in s of a window of two times; None and the length of one that is a single time."""
    if isinstance(window, list | tuple) or np.ndim(window):
        return time_window(window, "window", "one time, or ")
    length = positive(window, "s", "window")
    if not np.isfinite(length):
        raise NsnnError(f"window = {window}: expected a finite time")
    return None, length


def _ends(block: Any, window: Any) -> tuple[Any, Any]:
    """t_start and t_stop of the window in each trial."""
    if window is None:
        return None, None
    start, stop = _window(window)
    if start is not None:
        return start * pq.s, stop * pq.s
    first = as_trains(block).t_start
    if np.ptp(first) > 1e-9 * stop:
        raise NsnnError(f"window = {window}: trials start at different times; give two times, (start, stop)")
    return None, (float(first[0]) + stop) * pq.s
