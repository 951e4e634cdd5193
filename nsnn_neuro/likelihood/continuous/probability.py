"""`survival` and `spike_probability`: what a noisy neuron in continuous time will do, given its spikes."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.interpolate import CubicSpline

from ...core.aliases import SpikeSource, Time
from ...core.checks import positive, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import si
from ...models.compatibility import check_variance
from ...models.neurons import Neuron
from ...models.noise import Noise
from ...models.stimuli import Stimulus
from .cells import Grid
from .conditional import check_parts, check_start, probabilities
from .trials import Trial, read_trials

DT = 1e-4
"""Default step, s."""


@suggest_keywords
def survival(
    model: Neuron,
    times: Any,
    *,
    noise: Noise,
    stimulus: Stimulus | None = None,
    dt: Time | None = None,
    n_cells: int | None = None,
) -> np.ndarray:
    """Probability that a neuron released from its reset at time 0 has not fired by `times`: S(t) = P(first spike > t).

    In white noise the density of first spikes, -dS/dt, solves a Volterra equation for a linear membrane
    (`LIF`, `PIF`, `GIF`) with a smooth drive, also where the noise is weak; else a Fokker-Planck
    equation moves the membrane's density, and the threshold absorbs it. With escape noise S is
    exp(-integral of the hazard). The error of S is of second order in dt and in the width of cells.
    Ornstein-Uhlenbeck noise starts from its stationary distribution, and goes on over later spikes.

    Parameters
    ----------
    model : `LIF`, `PIF`, `EIF`, `QIF`, `GIF`, or your own neuron whose slow variables only spikes change
    times : time or array of times >= 0, any shape
    noise : `WhiteNoise`; `OUNoise` or `EscapeNoise`, for `LIF`, `PIF` and `GIF`
    stimulus : from time 0; None: no drive. a formula is evaluated at the middle of each step, samples are held
    dt : step, default 0.1 ms
    n_cells : cells between threshold and the lowest voltage, for the Fokker-Planck equation; default: none for a linear membrane,
        else 24 for each sigma of the noise, and more where intervals are regular

    Returns
    -------
    (shape of times) : probabilities

    Raises
    ------
    NsnnError : a neuron or noise whose likelihood is not known, times below 0, a noise too weak for the step or the cells

    Source: Paninski, Pillow & Simoncelli 2004, doi 10.1162/0899766042321797

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import LIF, WhiteNoise, Constant
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> survival(cell, [5, 20, 50]*ms, noise=WhiteNoise(12.5**0.5*mV), stimulus=Constant(15*mV)).round(3).tolist()
    [1.0, 0.943, 0.693]
    """
    parts = model, noise, stimulus
    check_parts(*parts)
    step = DT if dt is None else positive(dt, "s", "dt")
    t = np.asarray(si(times, "s", "times"), dtype=float)
    if not t.size or not np.all(np.isfinite(t)) or np.any(t < 0):
        raise NsnnError(f"times = {times}: expected one or more finite times from 0")
    n = max(1, int(np.ceil(t.max() / step - 1e-9)))
    check_variance(noise, stimulus, n, step)
    trial = Trial(np.zeros(n), 0.0, (0, n))
    chance = probabilities(
        parts, trial, step, _grid(n_cells), start=float(model.si("v_reset")), in_parts=True
    )
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.maximum(1 - chance, 1e-300)))])
    return np.exp(CubicSpline(np.linspace(0.0, n, len(logs)), logs)(t / step))


@suggest_keywords
def spike_probability(
    model: Neuron,
    trains: SpikeSource,
    *,
    noise: Noise,
    stimulus: Stimulus | None = None,
    dt: Time | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    n_cells: int | None = None,
) -> np.ndarray:
    """Probability of a spike in each step of dt, given the spikes before it; 0 in the refractory time.

    As in `simulate`, a trial starts at v_rest, a spike counts as at the middle of its step, and a stimulus starts with the trial.
    See `survival` for the method and its error.

    Parameters
    ----------
    model, noise, stimulus, dt, n_cells : as for `survival`
    trains : spikes of one neuron: a neo.Block, a list of neo.SpikeTrain, or of arrays of seconds (with t_stop)
    t_start, t_stop : steps to return, of each trial; default all. Spikes before t_start count as given

    Returns
    -------
    (n_steps,), or (n_trials, n_steps) for several trials, which have to last equally long

    Raises
    ------
    NsnnError : as for `survival`; spikes closer than tau_refrac, trials of unequal length, a signal that doesn't fit

    Source: Paninski, Pillow & Simoncelli 2004, doi 10.1162/0899766042321797

    >>> from brian2 import ms, mV
    >>> from nsnn_neuro import LIF, WhiteNoise, Constant
    >>> cell = LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
    >>> q = spike_probability(cell, [[0.0101]], noise=WhiteNoise(3*mV), stimulus=Constant(25*mV), t_stop=20*ms)
    >>> q.shape, q[102:120].max().item(), q[-1].round(4).item()
    ((200,), 0.0, 0.0014)
    """
    parts = model, noise, stimulus
    check_parts(*parts)
    step = DT if dt is None else positive(dt, "s", "dt")
    trials = read_trials(trains, step, t_start, t_stop)
    check_start(stimulus, trials, step)
    lengths = {trial.counted[1] - trial.counted[0] for trial in trials}
    if len(lengths) > 1:
        raise NsnnError(
            f"trains: trials of {min(lengths) * step:g} to {max(lengths) * step:g} s: expected one length; pass t_start and t_stop"
        )
    check_variance(noise, stimulus, max(len(trial.o) for trial in trials), step)
    rows = [probabilities(parts, trial, step, _grid(n_cells)) for trial in trials]
    table = np.stack([row[slice(*trial.counted)] for row, trial in zip(rows, trials, strict=True)])
    return table[0] if len(table) == 1 else table


def _grid(n_cells: Any) -> Grid:
    return Grid(None if n_cells is None else whole(n_cells, 8, "n_cells", 10_000))
