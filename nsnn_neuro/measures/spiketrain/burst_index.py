"""Bursting: the share of short interspike intervals."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time
from ...core.checks import scalar, suggest_keywords
from ..estimate import measure
from ..trains import Trains, as_trains, nan_ratio, warn_silent
from .firing_statistics import Parts


def _burst_parts(trains: Trains, *, limit: Any = 6 * pq.ms) -> Parts:
    longest = scalar(limit, "s", "limit", above=0)
    intervals, train = trains.intervals
    short = train[intervals < longest - trains.resolution]
    sums = np.stack([trains.per_train(train), trains.per_train(short)], axis=1)
    return sums, lambda s: nan_ratio(s[..., 1, :], s[..., 0, :])


@measure("1", _burst_parts, scale="fraction")
@suggest_keywords
def burst_index(
    block: SpikeSource, *, limit: Any = 6 * pq.ms, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Fraction of each neuron's interspike intervals that are shorter than `limit`, (n_neurons,).

    Spikes that follow one another within 6 ms are the usual definition of a burst of hippocampal and cortical pyramidal cells. A
    Poisson process of rate r has 1 - exp(-r limit), so compare neurons of similar rate.

    Parameters
    ----------
    block : neo.Block, one Segment per trial; no interval spans two trials
    limit : time, scalar; default 6 ms
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : what `as_trains` refuses. Neurons without an interval have NaN, with one SilentNeuronWarning. Source: Harris et
        al. 2001, doi 10.1016/S0896-6273(01)00447-0

    >>> from nsnn_neuro import to_block
    >>> burst_index(to_block([[[0.1, 0.104, 0.108, 0.2, 0.3]]], t_stop=1*pq.s))
    array([0.5])
    """
    sums, value = _burst_parts(as_trains(block, t_start, t_stop), limit=limit)
    return warn_silent(value(sums.sum(axis=0)), "burst_index", "have no interval")
