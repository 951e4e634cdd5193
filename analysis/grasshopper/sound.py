"""One half of a recording: its spikes and its sound level."""

from __future__ import annotations

import dataclasses

import neo
import numpy as np
import quantities as pq
from scipy.signal import lfilter

import nsnn_neuro as nsnn

from .config import Config

FINE, COARSE = 4, 10
"""envelope samples, at 20 kHz, in one value of the level"""
RATE, COARSE_RATE = 20_000.0 / FINE, 20_000.0 / COARSE
"""sampling rates of the level, Hz"""


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
    coarse = nsnn.datasets.envelope_db(block, samples=COARSE).magnitude.ravel()
    for level, rate in ((_integrated(block, config.integration), RATE), (coarse, COARSE_RATE)):
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


def _integrated(block: neo.Block, tau: float) -> np.ndarray:
    """The level of the sound, at 5 kHz, after its energy is averaged with the time constant tau (s), as by the ear."""
    energy = block.segments[0].analogsignals[0].magnitude.ravel() ** 2
    keep = np.exp(-1 / (RATE * FINE * tau)) if tau else 0.0
    mean = lfilter([1 - keep], [1, -keep], energy, zi=[keep * energy[0]])[0]
    return np.asarray(10 * np.log10(mean).reshape(-1, FINE).mean(axis=1))
