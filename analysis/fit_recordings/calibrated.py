"""Neurons in continuous time as rivals: `calibrate` by likelihood, on the same training part and in the same bins as all models.

Steps are the bins, and a step has the mean of the stimulus, as in the other models. So the probability of a step is that of a spike
or none in a bin, and no conversion is needed. Parameters are fitted from 32 starts; nothing is chosen by cross-validation.

    LIF    threshold 10 mV above rest and reset, in white noise; free are the time constant, the noise and the refractory time.
           For P-units without a stimulus only: the stimuli of the others move the membrane by many SD of its noise in each bin,
           which then needs tens of steps, and a fit more than five minutes
    GIF    with escape noise of width 1 mV and 1 kHz at the threshold, and an adaptation current; free are the time constants of
           membrane and adaptation, the reset, the jump of the current and the refractory time

Both have the drive of the recording: of a receptor its saturating and adapting response to the sound level (seven parameters), of
the cortical neuron the current (gain and mean), of a P-unit with a known field its sine (gain, mean and phase), and of the other
P-units a constant. Input spikes are filtered by an exponential; its time constant is the one on a grid with the largest likelihood.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import neo
import numpy as np
from brian2 import Hz, ms, mV, second
from scipy.signal import lfilter

import nsnn_neuro as nsnn
from nsnn_neuro.likelihood import Calibration

from .data_sets import RELAY, Recording, analog
from .fits import Arm, Fitting

LIF, GIF = "LIF, white noise", "GIF, escape noise"
CALIBRATED = (GIF, LIF)
SYNAPSES = (1e-3, 2e-3, 4e-3, 8e-3, 16e-3)
"""s; candidates for the time constant of input spikes"""
_FINE = 10  # samples of the field per bin

Remark = tuple[str, str]
"""Name of a model, and what its calibration says: an error, or a warning about a parameter."""


def calibrated(fitting: Fitting, names: tuple[str, ...]) -> tuple[dict[str, Arm], list[Remark]]:
    """The calibrated neurons of a recording, without those that cannot be fitted or scored, and remarks that name the reasons."""
    arms: dict[str, Arm] = {}
    remarks: list[Remark] = []
    for name in names:
        if name == LIF and fitting.recording.stimulated:
            continue  # the likelihood in white noise would need many steps per bin
        try:
            arms[name], texts = _arm(fitting, name)
        except nsnn.NsnnError as error:
            texts = [f"not fitted: {error}"]
        remarks += [(name, text) for text in texts]
    return arms, remarks


def _arm(fitting: Fitting, name: str) -> tuple[Arm, list[str]]:
    """Calibrate with each drive, take the one with the largest likelihood of the training part, and predict the test part.

    Returns also the warnings about parameters.
    """
    r = fitting.recording
    cell, noise, free = neuron(r, name)
    trains = [[train] for train in r.trains]  # each repeat is a recording with a stimulus of its own
    fits: list[tuple[Calibration, dict[str, float], list[str]]] = []
    for stimuli, of_drive, given in drives(r, name):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fit = nsnn.calibrate(
                cell, {**free, **of_drive}, noise=noise, stimulus=stimuli, trains=trains, t_stop=fitting.train * second,
                dt=r.dt * second, seed=fitting.config.seed, progress=False,
            )  # fmt: skip
        fits.append((fit, given, [str(one.message) for one in caught if one.category is UserWarning]))
    fit, given, texts = max(fits, key=lambda one: one[0].log_likelihood)
    steps = fit.per_step(trains, t_start=fitting.train * second, t_stop=fitting.stop * second)
    p = np.where(steps.o == 1, np.exp(steps.log_likelihood), -np.expm1(steps.log_likelihood))
    numbers = {**fit.parameters, **given}
    numbers |= {f"se {key}": value for key, value in fit.se.items() if np.isfinite(value)}
    none = np.zeros((p.size // fitting.repeats, 0), dtype=bool)  # not simulated
    return Arm(p.reshape(fitting.repeats, -1), none, numbers), texts


def neuron(r: Recording, name: str) -> tuple[Any, Any, dict[str, Any]]:
    """Neuron, noise and their free parameters. The refractory time is below the shortest interval of the training part."""
    shortest = min(
        int(np.diff(np.floor(t[t < r.borders[0]] / r.dt + 1e-6)).min(initial=1_000)) for t in r.trains
    )
    longest = 0.8 * (shortest - 0.5) * r.dt
    refractory = longest > r.dt
    own: dict[str, Any] = {
        "tau_m": 3 * ms, "v_rest": 0 * mV, "tau_refrac": longest / 2 * second if refractory else 0 * ms,
    }  # fmt: skip
    free: dict[str, Any] = {"tau_m": (0.2 * ms, 20 * ms)}
    if refractory:
        free["tau_refrac"] = (0 * second, longest * second)
    if name == LIF:
        cell: Any = nsnn.LIF(**own, v_reset=0 * mV, v_thresh=10 * mV)
        free |= {"tau_m": (2 * r.dt * second, 20 * ms), "noise.sigma": (0.2 * mV, 30 * mV)}
        return cell, nsnn.WhiteNoise(4 * mV), free
    slow = r.kind == "grasshopper"
    cell = nsnn.GIF(
        **own, v_reset=-20 * mV, v_thresh=0 * mV, tau_w=(3 * second if slow else 20 * ms), b=(0.01 if slow else 0.5) * mV,
        tau_thresh=1 * second, b_thresh=0 * mV,
    )  # fmt: skip
    free |= {"v_reset": (-100 * mV, -0.5 * mV)}
    if slow:
        free |= {"tau_w": (0.5 * second, 20 * second), "b": (0 * mV, 0.05 * mV)}
    else:
        free |= {"tau_w": (2 * ms, 500 * ms), "b": (-2 * mV, 10 * mV)}
    return cell, nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(1000 * Hz, 1 * mV)), free


def drives(r: Recording, name: str) -> Iterator[tuple[list[nsnn.Stimulus], dict[str, Any], dict[str, float]]]:
    """The drive of each repeat, its free parameters, and settings of a grid; several where there is a grid."""
    offset = {LIF: 8 * mV, GIF: -3 * mV}[name]
    low, high = {LIF: (-20 * mV, 40 * mV), GIF: (-30 * mV, 10 * mV)}[name]
    if not r.stimulated:
        yield [nsnn.Constant(offset) for _ in r.trains], {"stimulus.v": (low, high)}, {}
        return
    free: dict[str, Any] = {"stimulus.gain": (0.1 * mV, 60 * mV), "stimulus.offset": (low, high)}
    if r.kind == "grasshopper":
        start = {"gain": 8 * mV, "offset": offset, "delay": 5 * ms, "tau_adaptation": 3 * ms}
        start |= {"middle": 0.0, "width": 0.5, "adaptation": 0.7}
        free |= {
            "stimulus.delay": (2 * ms, 10 * ms), "stimulus.middle": (-3.0, 3.0), "stimulus.width": (0.1, 3.0),
            "stimulus.adaptation": (0.0, 1.0), "stimulus.tau_adaptation": (0.5 * ms, 100 * ms),
        }  # fmt: skip
        yield [nsnn.Transduced(s, **start) for s in r.signals], free, {}
        return
    start = {"gain": 5 * mV, "offset": offset}
    if r.kind == "P-unit":
        sine, frequency = phase_signal(r.signals[0], _FINE)
        free["stimulus.delay"] = (0 * second, 1 / frequency * second)
        yield [nsnn.Filtered(sine, **start, delay=0.5 / frequency * second)], free, {}
    elif r.kind == RELAY:
        for tau in SYNAPSES:
            stimuli: list[nsnn.Stimulus] = [
                nsnn.Filtered(filtered_spikes(s, tau), **start) for s in r.signals
            ]
            yield stimuli, free, {"tau_synapse": tau}
    else:
        yield [nsnn.Filtered(s, **start) for s in r.signals], free, {}


def phase_signal(signal: neo.AnalogSignal, n: int) -> tuple[neo.AnalogSignal, float]:
    """The sine of a phase that is given by its cosine and sine at the middle of steps, with n samples per step, and its mean
    frequency (Hz). The phase advances by less than half a cycle per step."""
    dt = float(signal.sampling_period.rescale("s").magnitude)
    phase = np.unwrap(np.arctan2(signal.magnitude[:, 1], signal.magnitude[:, 0]))
    t = (np.arange(len(phase)) + 0.5) * dt
    speed = (phase[-1] - phase[0]) / (t[-1] - t[0])
    fine = (np.arange(n * len(phase)) + 0.5) * dt / n
    rest = np.interp(fine, t, phase - speed * t)  # so that the phase goes on beyond the first and last middle
    return analog(np.sin(speed * fine + rest), dt / n), float(speed / (2 * np.pi))


def filtered_spikes(signal: neo.AnalogSignal, tau: float) -> neo.AnalogSignal:
    """A signal of spike counts through an exponential filter of tau s, of area 1."""
    dt = float(signal.sampling_period.rescale("s").magnitude)
    kept = np.exp(-dt / tau)
    values = np.asarray(signal.magnitude, dtype=float)[:, 0]
    return analog(lfilter([1 - kept], [1, -kept], values), dt)
