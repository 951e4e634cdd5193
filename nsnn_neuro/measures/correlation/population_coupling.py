"""Population coupling: how strongly each neuron fires together with the sum of all others."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq
from scipy.ndimage import gaussian_filter1d

from ...core.aliases import SpikeSource, Time
from ...core.checks import one_of, scalar
from ...core.errors import NsnnError
from ..estimate import public_measure
from ..spiketrain.firing_statistics import Parts
from ..trains import Trains, as_trains, binned, nan_ratio, warn_silent


def _coupling_parts(
    trains: Trains,
    *,
    sigma: Any = 12 / 2**0.5 * pq.ms,
    bin_width: Any = 1 * pq.ms,
    bias: str | None = "subtract",
) -> Parts:
    one_of(bias, ("subtract", None), "bias")
    smooth, width = scalar(sigma, "s", "sigma", above=0), scalar(bin_width, "s", "bin_width", above=0)
    if trains.n_neurons < 2:
        raise NsnnError("block has one neuron: expected at least two, as each is compared with the others")
    trains.check_durations("so that they hold different numbers of bins")
    counts = binned(trains, width, "bin_width").astype(float)
    inside = gaussian_filter1d(np.ones(counts.shape[2]), smooth / width, mode="constant", truncate=5.0)
    together, integral = np.empty((2, *counts.shape[:2]))
    for k, trial in enumerate(counts):  # one trial's rates at a time
        rate = gaussian_filter1d(trial, smooth / width, axis=1, mode="constant", truncate=5.0) / inside
        together[k] = (rate * (rate.sum(axis=0) - rate)).sum(axis=1) / width
        integral[k] = rate.sum(axis=1)
    n_spikes = counts.sum(axis=2)
    length = counts.shape[2] * width
    # with the others' spikes of the same trial
    same = integral * (n_spikes.sum(axis=1, keepdims=True) - n_spikes)
    sums = np.stack([np.ones_like(n_spikes), n_spikes, together, integral, same], axis=1)

    def coupling(s: np.ndarray) -> np.ndarray:
        # sums over the trials given, so that a jackknife computes means anew
        n_trials, n, pairs, own, same = (s[..., k, :] for k in range(5))
        expected, times = own * (n.sum(axis=-1, keepdims=True) - n), n_trials
        if bias is not None:
            # a single trial has no others. Left by the jackknife of two, it has no value: its own mean is another estimator
            alone = expected if trains.n_trials == 1 else np.nan
            expected, times = np.where(n_trials > 1, expected - same, alone), np.maximum(n_trials - 1, 1)
        return nan_ratio(pairs - expected / (times * length), n)

    return sums, coupling


@public_measure("Hz", _coupling_parts)
def population_coupling(
    block: SpikeSource,
    *,
    sigma: Any = 12 / 2**0.5 * pq.ms,
    bin_width: Time = 1 * pq.ms,
    bias: str | None = "subtract",
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Population coupling of each neuron in Hz, (n_neurons,): the others' summed rate at its spikes, less its mean.

    c_i = 1 / n_i integral of f_i(t) sum over j != i of (f_j(t) - mu_j) dt. f is the rate smoothed by a Gaussian, which is
    renormalised at the trials' ends, mu_j its mean and n_i the number of spikes. 0 for independent neurons of constant rate; what
    a stimulus evokes counts. It grows with the number of neurons, so compare neurons of one recording.

    Bias. A mean over all trials contains the trial's own rate, which lowers c. With "subtract" mu_j is therefore the mean over the
    other trials. What is left is the bias of a ratio; sizes and coverage: "Errors with few trials" in the documentation. With two
    trials the error is NaN: the value without one of them would have no other trials for its mean.

    Parameters
    ----------
    block : neo.Block, one Segment per trial, all of the same duration, at least two neurons
    sigma : time, scalar, SD of the Gaussian; the default, 12 / sqrt(2) ms, is the source's
    bin_width : time, scalar, of the bins in which rates are computed
    bias : "subtract" (default), as above; None: mu_j is the mean over all trials, as it always is for a single trial
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : one neuron, trials of different duration, or what `as_trains` refuses. A neuron without spikes has NaN, with one
        SilentNeuronWarning. Standard errors: `tabulate`, a jackknife over trials. Source: Okun et al. 2015, doi 10.1038/nature14273

    >>> from nsnn_neuro import to_block
    >>> rng = np.random.default_rng(0)
    >>> one, two, three = (np.sort(rng.uniform(0, 20, 200)) for _ in range(3))
    >>> population_coupling(to_block([[one, one, two, three]], t_stop=20*pq.s)).round(1)
    array([32.8, 32.8,  0.8, -0.8])
    """
    trains = as_trains(block, t_start, t_stop)
    sums, value = _coupling_parts(trains, sigma=sigma, bin_width=bin_width, bias=bias)
    return warn_silent(value(sums.sum(axis=0)), "population_coupling", "have no spikes")
