"""The drive of a sensory cell whose receptor saturates and adapts."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core import units
from ..core.parameters import parameter
from .stimuli import Filtered, HeldSignal, areas_of_steps, samples_needed

__all__ = ["Transduced"]


@dataclasses.dataclass(frozen=True, eq=False)
class Transduced(HeldSignal):
    """Recorded signal through a receptor that saturates and adapts: offset + gain (r(t - delay) - adaptation m(t - delay)).

    r = 1 / (1 + exp(-(signal - middle) / width)); of a level in dB it is a Hill function of the amplitude. m is the running average
    of r, tau_adaptation dm/dt = r - m. A cell with adaptation 1 responds to changes only. The average starts at the first r; delay
    and steps are as in `Filtered`, which has neither saturation nor adaptation.

    signal : neo.AnalogSignal of one channel, in any unit; its first sample is at the start of the trial
    gain, offset : scalars, voltage or dimensionless, same unit for both
    middle, width : scalars, in the signal's unit; width > 0
    adaptation : scalar from 0 to 1, default 0
    tau_adaptation : scalar, time > 0
    delay : scalar, time >= 0

    Source: Gollisch & Herz 2004, doi 10.1523/JNEUROSCI.0398-04.2004 (input-driven adaptation of auditory receptors)

    >>> import neo, quantities as pq
    >>> level = neo.AnalogSignal([0.0, 0.0, 9.0], units="dimensionless", sampling_period=1*pq.ms)
    >>> Transduced(level, gain=2.0, offset=1.0, middle=0.0, width=0.1).samples(3, 1e-3).round(3).tolist()
    [2.0, 2.0, 3.0]
    """

    signal: neo.AnalogSignal
    gain: Any = parameter("V", "1", kw_only=True)
    offset: Any = parameter("V", "1", kw_only=True)
    middle: Any = parameter("1", kw_only=True)
    width: Any = parameter("1", bound="positive", kw_only=True)
    adaptation: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)
    tau_adaptation: Any = parameter("s", bound="positive", default=10 * pq.ms, kw_only=True)
    delay: Any = parameter("s", bound="non-negative", default=0 * pq.s, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_unit("gain", "offset")
        Filtered(self.signal, gain=self.gain, offset=self.offset, delay=self.delay)  # checks the signal

    def areas(self, n_steps: int, dt: float) -> tuple[np.ndarray, float]:
        """Integrals of the adapted response; see `HeldSignal.areas`."""
        from scipy.signal import lfilter

        period = units.si(self.signal.sampling_period, "s", "signal")
        time = period, self.si("delay"), n_steps, dt
        values = samples_needed(np.asarray(self.signal.magnitude, dtype=float)[:, 0], *time)
        x = (values - self.si("middle")) / self.si("width")
        response = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
        keep = np.exp(-period / self.si("tau_adaptation"))
        mean = lfilter([1 - keep], [1, -keep], response, zi=[keep * response[0]])[0]
        adapted = response - self.si("adaptation") * mean
        return areas_of_steps(adapted, *time), period
