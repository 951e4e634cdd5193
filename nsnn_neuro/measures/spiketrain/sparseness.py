"""Sparseness of responses, over stimuli (lifetime) or over neurons (population)."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.checks import one_of
from ...core.errors import NsnnError
from ...core.units import floats
from ..estimate import public_measure
from ..trains import nan_ratio, warn_silent


@public_measure("1")
def sparseness(rates: Any, *, over: str = "stimuli", form: str = "vinje-gallant") -> np.ndarray:
    """Sparseness of mean responses, of each neuron over stimuli or of each stimulus over neurons.

    With m responses r, "treves-rolls" is a = (mean r)^2 / mean r^2, from 1 / m (a single response) to 1 (all equal). The form of
    "vinje-gallant" is S = (1 - a) / (1 - 1 / m), from 0 (all equal) to 1 (a single response).

    Parameters
    ----------
    rates : (n_stimuli, n_neurons) mean rates or counts, at least 0. Noise in means over few trials raises S, which is not
        corrected: for equal rates to about (se / r)^2, 1 / (spikes for each stimulus) of Poisson counts. No error;
        `tuning_curve` has an interval and a test
    over : "stimuli" (default; lifetime sparseness, one value per neuron) or "neurons" (population sparseness, one per stimulus)
    form : "vinje-gallant" (default) or "treves-rolls"

    Raises
    ------
    NsnnError : negative or missing responses, or a single one to compare. NaN, with one SilentNeuronWarning, where all responses
        are 0. Sources: Rolls & Tovee 1995, doi 10.1152/jn.1995.73.2.713; Vinje & Gallant 2000, doi 10.1126/science.287.5456.1273

    >>> rates = [[10.0, 5.0], [0.0, 5.0], [0.0, 5.0], [0.0, 5.0]]  # 4 stimuli, 2 neurons
    >>> sparseness(rates), sparseness(rates, form="treves-rolls")
    (array([1., 0.]), array([0.25, 1.  ]))
    >>> sparseness(rates, over="neurons").round(2)
    array([0.2, 1. , 1. , 1. ])
    """
    one_of(over, ("stimuli", "neurons"), "over")
    one_of(form, ("vinje-gallant", "treves-rolls"), "form")
    r = floats(rates, "rates", "an array (n_stimuli, n_neurons) of rates or counts")
    if r.ndim != 2 or r.size == 0:
        raise NsnnError(
            f"rates has shape {r.shape}: expected (n_stimuli, n_neurons); for one neuron give rates[:, None]"
        )
    if not np.isfinite(r).all() or (r < 0).any():
        bad = r[~np.isfinite(r) | (r < 0)][0]
        raise NsnnError(f"rates holds {bad}: expected finite numbers, at least 0")
    axis = 0 if over == "stimuli" else 1
    m = r.shape[axis]
    if m < 2:
        raise NsnnError(f"rates has shape {r.shape}: expected at least two {over}")
    a = treves_rolls(r, axis)
    warn_silent(a, "sparseness", "have no response", "neurons" if over == "stimuli" else "stimuli")
    return a if form == "treves-rolls" else vinje_gallant(r, axis)


def treves_rolls(r: np.ndarray, axis: int) -> np.ndarray:
    """(mean r)^2 / mean r^2 over an axis; NaN where all responses are 0."""
    return nan_ratio(r.mean(axis=axis) ** 2, (r**2).mean(axis=axis))


def vinje_gallant(r: np.ndarray, axis: int) -> np.ndarray:
    """(1 - treves_rolls) / (1 - 1/m) over an axis of m >= 2 responses; NaN where all are 0."""
    return np.asarray((1 - treves_rolls(r, axis)) / (1 - 1 / r.shape[axis]))
