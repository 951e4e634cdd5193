"""Blocks with given counts of spikes in windows."""

import neo
import numpy as np

from helpers.trains import make_block

__all__ = ["windows_of"]


def windows_of(counts) -> neo.Block:
    """Windows of one second; counts (n_trials, n_windows, n_neurons) spikes at equal distances in them."""
    windows = [
        [[w + (np.arange(c) + 0.5) / max(c, 1) for w, c in enumerate(n)] for n in trial.T] for trial in counts
    ]
    return make_block([[np.concatenate(neuron) for neuron in trial] for trial in windows], counts.shape[1])
