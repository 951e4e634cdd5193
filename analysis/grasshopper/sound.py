"""One half of a recording, and the drive of the neuron: the sound level through a saturating, adapting receptor."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import quantities as pq
from scipy.signal import lfilter

import nsnn_neuro as nsnn
from nsnn_neuro.core.parameters import Scalars, parameter

from .config import Config

FINE, COARSE = 4, 10
"""envelope samples, at 20 kHz, in one value of the level"""
RATE, COARSE_RATE = 20_000.0 / FINE, 20_000.0 / COARSE
"""sampling rates of the level, Hz"""


@dataclasses.dataclass(frozen=True, eq=False)
class Transduced(Scalars, nsnn.Stimulus):
    """Drive of a sensory cell, with response r to the level: offset + gain (r(t - delay) - adaptation mean(t - delay)).

    r = 1 / (1 + exp(-(level - middle) / width)) saturates, which is a Hill function of the sound's amplitude. `mean` is its
    average over the past, tau_adaptation d mean/dt = r - mean: the cell adapts to its input by the share `adaptation`.

    level : neo.AnalogSignal of one channel
    gain, offset : scalars, voltage or dimensionless
    middle, width : scalars, unit of the level
    adaptation : scalar from 0 to 1
    tau_adaptation, delay : scalars, times

    >>> import neo, quantities as pq
    >>> level = neo.AnalogSignal([0.0, 0.0, 9.0], units="dimensionless", sampling_period=1*pq.ms)
    >>> drive = Transduced(level, gain=2.0, offset=1.0, middle=0.0, width=0.1, delay=0*pq.ms)
    >>> drive.samples(3, 1e-3).round(3).tolist()
    [2.0, 2.0, 3.0]
    """

    signal: neo.AnalogSignal
    gain: Any = parameter("V", "1", kw_only=True)
    offset: Any = parameter("V", "1", kw_only=True)
    middle: Any = parameter("1", kw_only=True)
    width: Any = parameter("1", bound="positive", kw_only=True)
    adaptation: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)
    tau_adaptation: Any = parameter("s", bound="positive", default=10 * pq.ms, kw_only=True)
    delay: Any = parameter("s", bound="non-negative", kw_only=True)

    def samples(self, n_steps: int, dt: float) -> np.ndarray:
        """The drive of step k, as `Filtered` has it for the response."""
        level = np.asarray(self.signal.magnitude, dtype=float)[:, 0]
        period = float(self.signal.sampling_period.rescale("s").magnitude)
        with np.errstate(over="ignore"):
            response = 1 / (1 + np.exp(-(level - self.si("middle")) / self.si("width")))
        keep = np.exp(-period / self.si("tau_adaptation"))
        mean = lfilter([1 - keep], [1, -keep], response, zi=[keep * response[0]])[0]
        values = response - self.si("adaptation") * mean
        adapted = neo.AnalogSignal(values, units="dimensionless", sampling_period=period * pq.s)
        unit = pq.V if self.drive_unit == "V" else pq.dimensionless
        filtered = nsnn.Filtered(
            adapted,
            gain=self.si("gain") * unit,
            offset=self.si("offset") * unit,
            delay=self.si("delay") * pq.s,
        )
        return filtered.samples(n_steps, dt)


@dataclasses.dataclass(frozen=True)
class Half:
    """One half of a recording: its spikes, those before it, and the sound level in units of the SD of the first half."""

    spikes: np.ndarray
    """spike times from the start of the half, s"""
    earlier: np.ndarray
    """those of the first half, from the start of the recording, s; none for the first half itself"""
    start: float
    """start of the half in the recording, s"""
    level: np.ndarray
    """at 5 kHz, from the start of the recording to the end of the half"""
    coarse: np.ndarray
    """at 2 kHz, of the half: for coherence and spike-triggered averages"""
    cutoff: float
    """of the level's modulation, Hz"""

    @property
    def duration(self) -> float:
        """Length in seconds."""
        return len(self.coarse) / COARSE_RATE

    @property
    def stop(self) -> float:
        """End of the half in the recording, s."""
        return self.start + self.duration

    @property
    def signal(self) -> neo.AnalogSignal:
        """The level from the start of the recording, at 5 kHz."""
        return neo.AnalogSignal(self.level, units="dimensionless", sampling_rate=RATE * pq.Hz, name="level")

    @property
    def block(self) -> neo.Block:
        """The spikes from the start of the recording, which are all that a likelihood may need."""
        times = np.concatenate([self.earlier, self.start + self.spikes])
        return nsnn.to_block([[times]], t_stop=self.stop * pq.s)


def load_half(which: int, config: Config, *, second_half: bool) -> Half:
    """Read one half. The level is always standardised with mean and SD of the first half."""
    block = nsnn.datasets.grasshopper(which, path=config.data)
    levels = []
    for samples, rate in ((FINE, RATE), (COARSE, COARSE_RATE)):
        level = nsnn.datasets.envelope_db(block, samples=samples).magnitude.ravel()
        first = level[: round(config.split * rate)]
        levels.append((level - first.mean()) / first.std())
    _, times = block.segments[0].spiketrains.multiplexed
    times = np.asarray(times.rescale("s").magnitude)
    border = round(config.split * COARSE_RATE)
    early, cutoff = times[times < config.split], block.annotations["cutoff_hz"]
    if second_half:
        late = times[times >= config.split] - config.split
        return Half(late, early, config.split, levels[0], levels[1][border:], cutoff)
    fine = levels[0][: round(config.split * RATE)]
    return Half(early, early[:0], 0.0, fine, levels[1][:border], cutoff)
