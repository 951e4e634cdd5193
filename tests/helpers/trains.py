"""Blocks from plain lists, and the one warning of silent neurons."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import neo
import numpy as np
import quantities as pq

from nsnn_neuro import to_block
from nsnn_neuro.measures import SilentNeuronWarning

__all__ = ["block_of_counts", "make_block", "one_silence"]


def make_block(trials, t_stop=1.0) -> neo.Block:
    """Block from nested lists [trial][neuron] of seconds; t_stop in s, one for all trials or one each."""
    block = neo.Block()
    for trial, stop in zip(trials, np.broadcast_to(t_stop, len(trials)), strict=True):
        block.segments.append(to_block([trial], t_stop=float(stop) * pq.s).segments[0])
    return block


def block_of_counts(counts) -> neo.Block:
    """One second per trial, counts (n_trials, n_neurons) spikes at equal distances."""
    return make_block([[(np.arange(c) + 0.5) / max(c, 1) for c in row] for row in counts])


@contextmanager
def one_silence(text: str = "") -> Iterator[None]:
    """Expect a SilentNeuronWarning with this text, and no other warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    assert [w.category for w in caught] == [SilentNeuronWarning]
    assert text in str(caught[0].message)
