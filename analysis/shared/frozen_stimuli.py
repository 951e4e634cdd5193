"""Responses of a LIF neuron to short frozen stimuli, each in many trials: for studies of counts and spike times.

A drive below threshold precedes each stimulus, an Ornstein-Uhlenbeck path. The refractory period keeps the number of words small
enough for the Panzeri-Treves correction with the available trials.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import quantities as pq
from brian2 import mV, second

import nsnn_neuro as nsnn
from nsnn_neuro import measures

from .simulations import recorded, simulated

TAU_M, THRESHOLD, REFRACTORY = 10e-3, 20.0, 4e-3
"""s, mV above rest and reset, s"""
LEAD, WINDOW, DT = 20e-3, 24e-3, 0.2e-3
BEFORE = 10.0
"""drive during the lead, mV"""
CELL = nsnn.LIF(
    tau_m=TAU_M * second, v_rest=0 * mV, v_reset=0 * mV, v_thresh=THRESHOLD * mV, tau_refrac=REFRACTORY * second
)  # fmt: skip


def state(*numbers: int) -> int:
    """A seed from several numbers."""
    return int(np.random.SeedSequence(numbers).generate_state(1)[0])


def stimulus(mean: float, sd: float, tau: float, seed: int) -> np.ndarray:
    """Drive of a trial, mV at each step: the lead, then a path that causes the membrane SD `sd` (mV) whatever its time scale."""
    scale = sd * np.sqrt((tau + TAU_M) / tau)
    path = nsnn.FrozenNoise(mean * mV, scale * mV, tau * second, seed=seed)
    return np.concatenate([np.full(round(LEAD / DT), BEFORE), 1e3 * path.samples(round(WINDOW / DT), DT)])


def responses(
    drive: np.ndarray,
    noise: Any,
    n_stimuli: int,
    trials: int,
    seed: int,
    shuffle: np.random.Generator | None = None,
) -> Iterator[measures.Trains]:
    """The trains of each setting in the window, as trials of one neuron: trial t shows stimulus t modulo their number.

    drive : (n_steps, n_settings * n_stimuli) mV; noise : with a level for each column; shuffle : moves spikes to random times
    """
    n_neurons, n = drive.shape[1], n_stimuli * trials
    options = {"n_neurons": n_neurons, "trials": trials, "seed": seed}
    block = simulated(CELL, noise, recorded(drive, DT), seconds=LEAD + WINDOW, dt=DT, **options)
    spikes = measures.as_trains(block, t_start=LEAD * pq.s)
    times = np.maximum(spikes.times - LEAD, 0.0)
    if shuffle is not None:
        times = shuffle.uniform(0, WINDOW, times.size)
    setting, number = np.divmod(spikes.neuron, n_stimuli)
    trial = spikes.trial * n_stimuli + number
    order = np.lexsort((times, trial, setting))
    edges = np.searchsorted(setting[order], np.arange(n_neurons // n_stimuli + 1))
    for begin, end in itertools.pairwise(edges):
        own = order[begin:end]
        yield measures.Trains(
            times[own], np.zeros(own.size, int), trial[own], 1, n, np.zeros(n), np.full(n, WINDOW)
        )
