"""What the closed forms refuse: a call, the argument that the error names, and words of what it expected or of the cure."""

from __future__ import annotations

import numpy as np
from brian2 import Hz, ms, mV
from helpers.refusals import assert_refused

from nsnn_neuro import DeltaSynapse, Gaussian, PoissonInput, theory

UNIT = {"tau_m": 1.0, "v_thresh": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}
CELL = {"tau_m": 1.0, "v_spike": 1.0, "v_reset": 0.0, "tau_refrac": 0.1}
LIF = {"drift": theory.lif_drift(0.8), "sigma": 0.3, **CELL}
VOLTS = {"tau_m": 20 * ms, "v_thresh": 20 * mV, "v_reset": 10 * mV, "tau_refrac": 2 * ms}
CONDUCTANCES = {f"{name}_{k}": 0.5 for name in ("g", "sigma", "tau") for k in "ei"}
CONDUCTANCES |= {"tau_m": 1.0, "e_rev_e": 7.0, "e_rev_i": -0.5}
STEPS = {"family": Gaussian(0.4), "mu": 0.5, **UNIT, "dt": 0.1, "kmax": 3}
PARTS = {"current": 0.5, "family": Gaussian(0.4), "beta": 0.5, "theta": 1.0, "kmax": 3}
DOUBLE = {"current": 0.5, "sigma": 0.4, "beta": 1.0, "theta": 1.0, "kmax": 3}
NOISE_SHOT = {"mu": 0.0, "weight": 0.2, "rate": 3.0, **UNIT}
RELATIVE = {"mu": 0.8, "sigma": 0.3, "v_zero": -1.0, **UNIT, "calculus": "ito"}
COLOURED = {"mu": 20 * mV, "sigma": 3 * mV, "tau_noise": 1 * ms, **VOLTS}


def test_bad_arguments_are_refused_by_name_and_with_a_cure():
    half = np.array([[0.5, 0.5], [0.5, 0.5]])
    rows = [
        (theory.siegert_rate, {"mu": 1.0, "sigma": 1.0, **UNIT}, [
            ({"v_thresh": 20 * mV}, "mu = 1.0 has no unit", "or plain numbers for mu, "),
            ({"tau_refrac": 2 * ms}, "tau_m = 1.0 has no unit", "or plain numbers for tau_m, tau_refrac"),
            ({"v_reset": 1.0}, "v_reset = 1.0, v_thresh = ", "v_reset < v_thresh"),
            ({"sigma": -1.0}, "sigma = -1.0", "sigma >= 0"),
        ]),
        (theory.discrete_threshold, {"v_thresh": 20.0, "sigma": 5.0, "tau_m": 20.0, "dt": 0.1}, [
            ({"dt": -0.1}, "dt = -0.1", ""), ({"tau_m": 0.0}, "tau_m = 0.0", ""), ({"sigma": -1.0}, "sigma = -1.0", ""),
        ]),
        (theory.coloured_rate, COLOURED, [
            ({"tau_noise": -1 * ms}, "tau_noise = -1. ms", ""),
            ({"tau_noise": 1.0}, "tau_noise = 1.0", ""),
            ({"shift_reset": 2}, "shift_reset = 2", ""),
        ]),
        (theory.coloured_fp_rate, {**LIF, "drift": theory.lif_drift(0.5), "tau_noise": 0.25}, [
            ({"tau_noise": 0.0}, "tau_noise = 0.0", ""),
            ({"sigma": 1 * mV}, "v_spike = 1.0 has no unit", "plain numbers for sigma, "),
            ({"sigma": 0.0}, "sigma = 0.0", "sigma > 0"),
            ({"sigma": 0.07}, "sigma is so small", ""),
            ({"resolution": 0}, "resolution = 0", ""),
            ({"tau_noise": 1e6}, "unknowns", ""),
            ({"v_low": 0.5}, "v_low = 0.5", ""),
            ({"drift": theory.pif_drift(-1.0)}, "v_low", ""),
        ]),
        (theory.fp_rate, LIF, [
            ({"sigma": 0.0}, "sigma = 0.0", "sigma > 0"),
            ({"v_reset": 2.0}, "v_reset = 2.0", "v_reset < v_spike"),
            ({"v_low": 0.5}, "v_low = 0.5", ""),
            ({"drift": 0.8}, "drift = 0.8", "a function"),
            ({"cells": 2.5}, "cells = 2.5", ""),
            ({"drift": theory.lif_drift(20 * mV)}, "unit of the drift, 'V'", ""),
        ]),
        (theory.eif_drift, {"mu": 1.0, "v_thresh": 1.0}, [({"delta_T": 0}, "delta_T = 0", "")]),
        (theory.qif_drift, {"drive": 1.0, "v_thresh": 1}, [({"v_rest": 2}, "v_rest = 2", "")]),
        (theory.fp_spectrum, {"f": 1.0, **LIF}, [
            ({"sigma": 0.005, "drift": theory.lif_drift(0.5)}, "so small", ""),
        ]),
        (theory.fp_interval_density, {"t": 1.0, **LIF}, [
            ({"t": 2 * ms}, "tau_m = 1.0 has no unit", "plain numbers for tau_m, tau_refrac, t"),
        ]),
        (theory.fp_counts, {"window": 1.0, "kmax": 2, **LIF}, [
            ({"kmax": -1}, "kmax = -1", ""), ({"window": 0.0}, "window = 0.0", ""), ({"terms": 0}, "terms = 0", ""),
        ]),
        (theory.lindner_spectrum, {"f": 5 * Hz, "mu": 15 * mV, "sigma": 3 * mV, **VOLTS}, [
            ({"f": 5}, "f = 5", ""), ({"sigma": 0 * mV}, "sigma = 0", ""),
        ]),
        (theory.pif_interval_density, {"t": 5 * ms, "mu": 20 * mV, "sigma": 5 * mV, **VOLTS}, [({"t": 0.5}, "t = 0.5", "")]),
        (theory.count_correlation, {"sigma": 0.1, "tau_m": 1.0, "gain": 1, "rate": 1, "cv": 1}, [({"c": 2}, "c = 2", "")]),
        (theory.step_escape_interval, STEPS, [
            ({"tau_refrac": 0.25}, "tau_refrac = 0.25", ""),
            ({"mu": np.zeros(2)}, "scalars", ""),
            ({"dt": 0.0}, "dt = 0.0", ""),
            ({"kmax": 0}, "kmax = 0", ""),
            ({"family": Gaussian(4 * mV)}, "family = Gaussian", "the same unit"),
        ]),
        (theory.plesser_gerstner_hazard, {"sigma": 0, "tau_m": 1.0, "v_thresh": 1.0}, [({}, "sigma = 0", "")]),
        (theory.escape_rate, {"hazard": Gaussian(0.4), "mu": 0.8, "tau_m": 1.0, "v_reset": 0.0, "tau_refrac": 0.0}, [
            ({}, "hazard = Gaussian(", "a function"),
            ({"hazard": lambda u, du: 1 + 0 * u, "tau_refrac": -1}, "tau_refrac = -1", ""),
        ]),
        (theory.renewal_rate, {"tau_refrac": 0.005}, [
            ({"hazard": 50}, "hazard = 50", "a function"),
            ({"hazard": lambda t: -1 + 0 * t}, "hazard", ""),
            ({"hazard": lambda t: np.exp(-t)}, "hazard", ""),
        ]),
        (theory.multiplicative_rate, RELATIVE, [
            ({"calculus": "Ito"}, "calculus = 'Ito'", ""),
            ({"v_zero": 0.0}, "v_zero = 0.0", ""),
            ({"mu": -2.0}, "v_zero = -1.0", "v_zero < mu"),
            ({"sigma": 0.0}, "sigma = 0.0", ""),
            ({"sigma": 2 * mV}, "sigma = 2", ""),
        ]),
        (theory.shot_noise_rate, NOISE_SHOT, [
            ({"weight": 0.0}, "weight = 0.0", ""),
            ({"weight_inh": 0.1, "rate_inh": 1.0}, "weight_inh = 0.1", ""),
            ({"rate": -1.0}, "rate = -1.0", ""),
            ({"rate": 5 * Hz}, "rate = 5", ""),
            ({"weight": 1e-4}, "weight = 0.0001", "siegert_rate"),
            *[({k: PoissonInput(9 * Hz, 1, synapse=DeltaSynapse())}, f"{k} = Poisson", "noise.n") for k in ("weight", "rate")],
            ({"weight": 0.1, "rate": 0.3}, "uncertain", ""),
            ({"v_reset": 1.0}, "v_reset = 1.0", "v_reset < v_thresh"),
        ]),
        (theory.conductance_moments, {"mu": 0.0, **CONDUCTANCES}, [
            ({"sigma_e": 3.0, "tau_e": 1.0}, "no variance", ""),
            ({"sigma_i": -0.1}, "sigma_i = -0.1", ""),
            ({"tau_i": 0.0}, "tau_i = 0.0", ""),
        ]),
        (theory.nsnn_interval, PARTS, [
            ({"kmax": 0}, "kmax = 0", ""),
            ({"beta": 1.1}, "beta = 1.1", ""),
            ({"current": 0.5 * mV}, "current = 0.5 mV", ""),
            ({"family": 0.4}, "family = 0.4", "a dimensionless"),
        ]),
        (theory.double_noise_interval, DOUBLE, [
            ({"kmax": 0}, "kmax = 0", ""),
            ({"beta": -0.1}, "beta = -0.1", ""),
            ({"sigma": 0.0}, "sigma = 0.0", ""),
            ({"current": -1.0, "kmax": 20_000}, "fewer steps", ""),
        ]),
        (theory.noisy_threshold_rate, UNIT, [
            ({"mu": 1.5, "sigma": 0.1}, "mu = 1.5, sigma = 0.1", ""),
            ({"mu": 1.0, "sigma": 0.0}, "silent", ""),
            ({"mu": 2.0, "sigma": -0.1}, "sigma = -0.1", "sigma >= 0"),
        ]),
        (theory.brunel_rates, {"g": 5, "eta": 2}, [
            ({"g": -1}, "g = -1", ""), ({"eta": 2 * Hz}, "eta = 2. Hz", ""), ({"J": 0.1}, "J = 0.1", ""),
        ]),
        (theory.channel_information, {"weights": None}, [
            ({"law": half + 0.1}, "law of shape", ""),
            ({"law": [[0.5, -0.1], [0.5, 0.5]]}, "law of shape", ""),
            ({"law": np.eye(2), "weights": [0.5, 0.6]}, "weights = ", ""),
        ]),
        (theory.threshold_information, {"u": [0.4], "family": Gaussian(0.3)}, [
            ({"family": Gaussian(3 * mV)}, "family = Gaussian", ""),
            ({"family": Gaussian([0.3, 0.4])}, "family = ", "one scale"),
            ({"u": [[0.4]]}, "u has shape", ""),
            ({"theta": 1 * mV}, "theta = ", ""),
        ]),
        (theory.suprathreshold_information, {"family": Gaussian(0.3), "n_units": 2}, [
            ({"n_units": 0}, "n_units = 0", ""), ({"sd": 0.0}, "sd = 0", ""),
        ]),
    ]  # fmt: skip
    assert_refused(
        (lambda function=function, given=given | change: function(**given), *told)
        for function, given, changes in rows
        for change, *told in changes
    )
