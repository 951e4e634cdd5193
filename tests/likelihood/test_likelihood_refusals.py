"""What fits refuse: a call, the argument that the error names, and words of what it expected or of the cure."""

from __future__ import annotations

import functools

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, Mohm, ms, mV, second
from helpers import voltage_recordings
from helpers.fits import BURSTY, BURSTY_P, DT, analog, gaussian_signal, train
from helpers.refusals import assert_refused

import nsnn_neuro as nsnn
from nsnn_neuro import calibrate, fit_network, fit_neuron, fit_population
from nsnn_neuro.likelihood import (
    Lags,
    NetworkModel,
    NeuronModel,
    Poisson,
    Rescaled,
    Training,
    cross_validate,
    fit_windows,
    spike_probability,
    survival,
)

MV = {"v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV}
CELL = nsnn.LIF(tau_m=10 * ms, tau_refrac=2 * ms, **MV)
HAZARD = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 2 * mV))
WHITE = nsnn.WhiteNoise(3 * mV)
DRIVE = nsnn.Filtered(analog(np.ones(30_000), 1e-4), gain=5 * mV, offset=14 * mV)
SHORT = nsnn.Recorded(neo.AnalogSignal(np.ones(50), units="mV", sampling_period=0.1 * pq.ms))
GAIN, SIGMA = {"stimulus.gain": (0 * mV, 30 * mV)}, {"noise.sigma": (1 * mV, 20 * mV)}
TWO = nsnn.Network([nsnn.Population(2, CELL, noise=WHITE, name="a")])
ADAPTING = {"delta_T": 1 * mV, "v_spike": 30 * mV, "tau_w": 100 * ms, "a": 0.1, "b": 1 * mV}
ADEX = nsnn.AdEx(tau_m=10 * ms, tau_refrac=0 * ms, **ADAPTING, **MV)
REGULAR = [np.arange(0.005, 0.99, 0.02)]  # 50 spikes
NOISE = gaussian_signal(1000, 34)
LATE = neo.SpikeTrain([1.2, 1.3], t_start=1, t_stop=2, units="s")


def likelihood(free=GAIN, trains=None, t_stop=3 * second, **options):
    options = {"noise": HAZARD, "stimulus": DRIVE, "t_stop": t_stop} | options
    return calibrate(CELL, free, trains=[[0.1, 0.5, 1.2]] if trains is None else trains, **options)


def simulated(model=CELL, free=SIGMA, **options):
    given = {
        "noise": nsnn.OUNoise(3 * mV, 5 * ms),
        "trains": [[0.1, 0.2]],
        "t_stop": 1 * second,
        "dt": 1 * ms,
    }
    return calibrate(
        model, free, **given | {"engine": "numpy", "method": "simulation", "n_generations": 2} | options
    )


def voltage(free=None, method="voltage", **options):
    current, recorded, _ = voltage_recordings.data(1)
    given = {
        "noise": voltage_recordings.HAZARD,
        "stimulus": nsnn.Filtered(current, gain=80 * Mohm),
        "voltage": recorded,
    }
    return calibrate(voltage_recordings.CELL, free, method=method, **given | options)


def recorded(change=lambda v: v, unit="mV", period=voltage_recordings.DT, t_start=0.0):
    values = change(voltage_recordings.data(1)[1].magnitude[:, 0].copy())
    return neo.AnalogSignal(values, units=unit, sampling_period=period * pq.s, t_start=t_start * pq.s)


def with_nan(v):
    v[500] = np.nan
    return v


def probability(trains, **options):
    return spike_probability(CELL, trains, **{"noise": WHITE, "t_stop": 20 * ms} | options)


def neuron(trains=REGULAR, signal=NOISE, **options):
    return fit_neuron(trains, signal, **{"dt": 1 * ms, "stimulus": 1} | options)


def inputs(n=200, cells=2, trials=1):
    o = np.random.default_rng(22).random((trials, cells, n)) < 0.1
    return nsnn.to_block([[np.flatnonzero(cell) * DT for cell in trial] for trial in o], t_stop=n * DT * pq.s)


OWN = [train(np.random.default_rng(21).random(200) < 0.1)]


def coupled(**options):
    return fit_neuron(OWN, **{"dt": 1 * ms} | options)


def of_coupled(method, **options):
    return getattr(coupled(inputs=inputs(), coupling=1), method)(**options)


def of_current(method, unit, **options):
    signal = neo.AnalogSignal(NOISE.magnitude, units="nA", sampling_period=1 * pq.ms)
    wrong = neo.AnalogSignal(NOISE.magnitude, units=unit, sampling_period=1 * pq.ms)
    return getattr(neuron(REGULAR, signal), method)(signal=wrong, **options)


def moved(**options):
    return fit_neuron(*bursty(), dt=1 * ms, stimulus=1, ridge=1.0, **options).to_neuron(bursty()[1])


def network(trains=REGULAR, signal=NOISE, **options):
    return fit_network(
        trains, signal, **{"dt": 1 * ms, "stimulus": 2, "n_hidden": 4, "engine": "numpy"} | options
    )


@functools.cache
def bursty():
    signal = gaussian_signal(1000, 35)
    return BURSTY.simulate(BURSTY_P, signal, seed=6), signal


def chosen(candidates, **options):
    return cross_validate(*bursty(), candidates, dt=1 * ms, **options)


def windows(*arrays, **options):
    model = NetworkModel(dt=1 * ms, stimulus=Lags(1), n_hidden=8)
    return fit_windows(model, arrays[0] if len(arrays) == 1 else arrays, **options)


def drawn(weights, signal=NOISE, **options):
    return TWO_LAYERS().simulate(weights, signal, **options)


def two_voltages():
    block = neo.Block()
    block.segments.append(neo.Segment())
    for name in ("soma", "dendrite"):
        block.segments[0].analogsignals.append(recorded())
        block.segments[0].analogsignals[-1].name = name
    return block


SILENT_SECOND = nsnn.to_block([[REGULAR[0], []]], t_stop=1 * pq.s)
TWO_LAYERS = functools.partial(NetworkModel, dt=1 * ms, stimulus=Lags(2), n_hidden=2)
P, FIRED = np.full(4, 0.3), np.array([0, 1, 0, 1])
WEIGHTS = [np.zeros((3, 2)), np.zeros((3, 1))]
MODEL = {"dt": 1 * ms, "family": nsnn.Gaussian(1.0), "stimulus": Lags(1)}
ONES, SILENT = np.ones((4, 20, 2)), np.zeros((4, 1, 20, 1))
REFUSED = {
    likelihood: [
        ({"free": {}}, "free = {}", "expected a dict such as"),
        ({"free": {"tau": (1 * ms, 2 * ms)}}, "free has the name 'tau'", "did you mean 'tau_m'?"),
        ({"free": {"tau_m": (1 * mV, 2 * mV)}}, "free['tau_m'] = ", "time"),
        ({"free": {"tau_m": 1 * ms}}, "free['tau_m'] = ", "a lower and an upper bound"),
        ({"free": {"tau_m": (3 * ms, 2 * ms)}}, "free['tau_m'] = ", "a lower bound below the upper one"),
        ({"free": {"tau_m": (-1 * ms, 2 * ms)}}, "free['tau_m'] = ", "tau_m"),
        ({"free": {"v_thresh": (5 * mV, 20 * mV)}},
         "free: v_reset may be 0.01 and v_thresh 0.005", "keep v_reset below v_thresh"),
        ({"free": {"tau_refrac": (500 * ms, 900 * ms)}}, "tau_refrac = 500 ms", "trains have spikes at"),
        ({"trains": [[]]}, "trains hold 0 spikes in the time of the fit", "expected at least 1"),
        ({"trains": [[0.1, 0.2]], "t_stop": 9 * second}, "signal lasts 3 s", "expected"),
        ({"stimulus": [DRIVE, DRIVE], "trains": inputs()},
         "trains: a Block for 2 stimuli", "a list with the trains of each recording"),
        ({"stimulus": [DRIVE, nsnn.Constant(15 * mV)]},
         "stimulus: a list of Filtered, Constant", "stimuli of one kind"),
        ({"method": "volts"}, "method = 'volts'", "expected one of"),
        ({"trains": [LATE], "t_stop": None}, "signal starts at 0 s, and trains at 1 s", "expected one start"),
        ({"noise": WHITE, "n_generations": 2}, "n_generations = 2", 'expected with method="simulation"'),
    ],
    simulated: [
        ({"trains": [[]]}, "trains hold 0 spikes", "expected at least"),
        ({"noise": None}, "noise = None", "expected a noise model"),
        ({"model": TWO}, "model = ", "expected a function"),
        ({"free": {"noise.sigma": (-1 * mV, 20 * mV)}}, "free['noise.sigma'] = ", "sigma"),
        ({"n_simulations": 10}, "n_simulations = 10", "at least"),
        ({"engine": "c"}, "engine = 'c'", "expected one of"),
    ],
    voltage: [
        (lambda: {"voltage": None}, "voltage = NoneType object", "expected a neo.AnalogSignal"),
        (lambda: {"voltage": voltage_recordings.data(1)[0]},
         "voltage has the unit pA", "expected a membrane potential"),
        (lambda: {"voltage": recorded(unit="V")}, "voltage runs from -7", "units='mV'"),
        (lambda: {"voltage": recorded(lambda v: 0 * v - 65)},
         "voltage is flat: it runs from -65 to -65 mV", "check the channel"),
        (lambda: {"voltage": recorded(with_nan)},
         "voltage has 1 values that are NaN or infinite, the first", "time_slice"),
        (lambda: {"voltage": recorded(lambda v: np.maximum(v, -68))}, "voltage is clipped", "unclipped part"),
        (lambda: {"voltage": recorded(lambda v: np.minimum(v, -45))},
         "voltage has no spikes: it never rises through", "detect_spikes"),
        (lambda: {"voltage": voltage_recordings.data(1)[1][:20_000]},
         "trial 0 of voltage has 20000 samples every 0.2 ms", "one duration"),
        (lambda: {"voltage": recorded(period=1e-4)},
         "trial 0 of voltage has 30000 samples every 0.1 ms", "sampling rate"),
        (lambda: {"voltage": recorded(t_start=1.0)}, "signal starts at 0 s, and trains at 1 s", "expected one start"),
        (lambda: {"voltage": neo.AnalogSignal(np.zeros((10, 2)), units="mV", sampling_period=1 * pq.ms)},
         "voltage has 2 channels", "one channel"),
        (lambda: {"voltage": two_voltages()}, "segment 0 of the Block has 2 signals", "'soma' in mV"),
        (lambda: {"voltage": [recorded()] * 2, "trains": [[0.5]]}, "voltage has 2 trials, and trains 1", "expected"),
        (lambda: {"trains": [[500.0, 900.0]]},
         "trains have spikes from 500 to 900 s in trial 0, and voltage", "in seconds?"),
        (lambda: {"free": {"tau_m": None, "v_thresh": None}, "trains": [[0.5, 0.5006]]},
         "tau_refrac = 1 ms", "which is too close"),
        (lambda: {"dt": 0.3 * ms}, "dt = 300. us", "a whole multiple of voltage's interval of 0.2 ms"),
        (lambda: {"noise": nsnn.WhiteNoise(2 * mV)}, "noise = WhiteNoise(...)", "method='voltage' needs EscapeNoise"),
        (lambda: {"stimulus": None}, "stimulus = None", "expected the injected current"),
        (lambda: {"free": {"tau_w": None}}, "free['tau_w'] = None", "expected a lower and an upper bound"),
        (lambda: {"free": {"tau": (1 * ms, 2 * ms)}}, "free has the name 'tau'", "did you mean 'tau_w'?"),
        (lambda: {"free": {"v_rest": None, "stimulus.offset": (-50 * mV, 50 * mV), "stimulus.gain": None}},
         "free: v_rest, stimulus.offset", "cannot be distinguished"),
        (lambda: {"method": "likelihood"},
         "voltage = AnalogSignal, method = 'likelihood'", "expected method='voltage'"),
    ],
    survival: [
        ({"noise": None}, "noise = None", "the likelihood needs WhiteNoise, OUNoise or EscapeNoise"),
        ({"noise": nsnn.ThresholdNoise(3 * mV)}, "noise = ThresholdNoise(...)", 'use method="simulation"'),
        ({"noise": nsnn.WhiteNoise(0 * mV)}, "sigma = ", "expected a positive value"),
        ({"model": nsnn.WangBuzsaki()}, "model = WangBuzsaki(...)", "a neuron like LIF"),
        ({"model": ADEX}, "model = AdEx(...), whose w relaxes to", 'use method="simulation"'),
        ({"noise": nsnn.WhiteNoise([1, 2] * mV)}, "sigma of WhiteNoise has 2 values", "expected one number"),
        ({"times": -1 * ms}, "times = ", "from 0"),
    ],
    probability: [
        ({"trains": [[0.010, 0.0115]]},
         "tau_refrac = 2 ms: trains have spikes at 0.01 s and 0.0115 s", "too close (1 of 1 intervals are)"),
        ({"trains": [[0.01]], "t_stop": None}, "trains have no duration", "expected t_stop"),
        ({"trains": [[0.01]], "t_start": 30 * ms}, "t_start = 0.03 s", "a time within the trials"),
        ({"trains": [[0.01]], "stimulus": SHORT}, "signal lasts 0.005 s", "until the end of the run, 0.02 s"),
        ({"trains": [neo.SpikeTrain([0.01], t_stop=stop, units="s") for stop in (0.02, 0.03)], "t_stop": None},
         "trains: trials of 0.02 to 0.03 s", "expected one length"),
    ],
    neuron: [
        ({"trains": [[0.0101, 0.0104]]}, "two spikes in the step at 0.01 s", "shortest interval is 0.0003 s"),
        ({"trains": [[0.01, 0.01]]}, "two spikes in the step", "merge double"),
        ({"trains": [[], []]}, "trains hold no spikes in 2000 steps", "expected some"),
        ({"trains": [[12.0, 30.0, 0.5], [310.0]]},
         "3 of 4 spikes lie outside the signal: trains have times from 0.5 s to 310 s, the signal lasts from 0 s to 1 s",
         "expected seconds"),
        ({"trains": [[0.4, 2.5]], "signal": analog(np.ones(1000)), "t_start": 0.1 * pq.s},
         "1 of 2 spikes lie outside the signal", "t_stop"),
        ({"trains": [[120.0, 310.0]], "t_start": 0.1 * pq.s, "t_stop": 0.9 * pq.s},
         "no spikes in 800 steps", "2 spikes are from 120 s to 310 s: are these milliseconds?"),
        ({"trains": [np.arange(1000) * DT]}, "a spike in every step", "take a smaller dt"),
        ({"trains": [[0.1, np.nan]]}, "spike time NaN", "expected finite times"),
        ({"trains": [train(np.ones(1200))]}, "signal lasts from 0.0 s to 1 s, but trial 0", "t_stop"),
        ({"signal": analog([0.0, np.nan])}, "signal holds NaN", "finite samples"),
        ({"signal": np.zeros(1000)}, "signal = ndarray of shape (1000,)", "expected a neo.AnalogSignal"),
        ({"signal": [NOISE, NOISE]}, "2 signals for 1 trials", "one for all"),
        ({"signal": analog(np.zeros(1000))}, "stimulus[0]: nothing reaches it", "ridge=1.0"),
        ({"signal": analog(np.ones((1000, 1)))}, "bias, stimulus[0]: these can't be distinguished", "ridge=1.0"),
        ({"signal": analog(np.repeat(NOISE.magnitude, 2, axis=1))},
         "stimulus[0,0], stimulus[1,0]: these can't", "a smaller basis"),
        ({"history": Lags(3)}, "history[", "ridge=1.0"),
        ({"refractory": 25 * ms}, "refractory = 0.025 s: trial 0 has a spike at 0.025 s", "take a smaller refractory"),
        ({"family": nsnn.Gaussian([0.4, 0.5])}, "family = ", "one scale"),
        ({"family": 0.4}, "family = 0.4", "expected"),
        ({"beta": 1.0}, "beta = 1.0", "from 0 to below 1"),
        ({"beta": "free"}, "beta = 'free'", '"fit"'),
        ({"theta": "fit"}, "theta = ", "only bias - theta matters"),
        ({"dt": [1, 2] * ms}, "dt = ", "greater than 0"),
        ({"trains": REGULAR[0]}, "trains", "expected"),
        ({"signal": None, "stimulus": None, "history": 1}, "trains", "pass t_start and t_stop"),
        ({"history": 0}, "history = 0", "expected a basis"),
        ({"reset": "soft"}, "reset = 'soft'", "expected one of"),
        ({"ridge": -1.0}, "ridge = -1.0", "a number from 0"),
        ({"ridge": "best"}, "ridge = 'best'", "a number from 0"),
        ({"dt": 1.0}, "dt = 1.0 has no unit", "expected"),
        ({"t_start": 0.2 * pq.ms, "t_stop": 0.9 * pq.s},
         "trial 0 starts at 0.0002 s, 0.2 of a step off", "pass t_start on that grid"),
    ],
    functools.partial(fit_population, dt=1 * ms): [
        ({"block": inputs(cells=1), "coupling": 1}, "block has 1 neuron", "expected two or more"),
        ({"block": inputs(), "coupling": [1, 2, 3]}, "coupling", "one basis for all pairs"),
        ({"block": SILENT_SECOND, "coupling": 1}, "neuron 0: coupling[0]", "nothing reaches it"),
        ({"block": SILENT_SECOND, "coupling": 1, "ridge": 1.0}, "neuron 1: trains hold no spikes", "expected"),
    ],
    of_coupled: [
        ({"method": "score", "trains": OWN}, "coupling = ", "inputs missing: expected both"),
        ({"method": "score", "trains": OWN, "inputs": inputs(cells=3)}, "inputs have 3 neurons", "expected 2"),
        ({"method": "simulate", "inputs": inputs(trials=2), "trials": 3}, "inputs have 2 trials, trials = 3", "expected"),
    ],
    lambda **options: coupled(history=1).simulate(**options): [({}, "duration = None", "the time to simulate")],
    of_current: [
        ({"method": "score", "unit": "mV", "trains": REGULAR}, "signal is in mV", "made for signals in nA"),
        ({"method": "simulate", "unit": "dimensionless"}, "signal is in dimensionless", "made for signals in nA"),
    ],
    NeuronModel: [
        (MODEL | {"signal_unit": "nA"}, "signal_unit = 'nA'", "expected the unit of the signal"),
        (MODEL | {"signal_unit": 10 * pq.nA}, "signal_unit = ", "expected the unit of the signal"),
    ],
    moved: [
        ({"history": 1}, "spike history", "no neuron of simulate"),
        ({"family": Poisson()}, "counts", "no neuron of simulate"),
        ({"beta": 0.5, "reset": "none"}, 'a membrane with reset="none"', "no neuron of simulate"),
    ],
    Rescaled.of: [
        ((P[:-1], FIRED), "probability", "a number per step"),
        ((P, 2 * FIRED), "spikes", "expected 1 in a step with a spike"),
        ((np.where(FIRED == 1, 0.0, P), FIRED), "probability", "above 0 where a spike is"),
        ((P + 1, FIRED), "probability", "from 0 to below 1"),
        ((P, 0 * FIRED), "trains hold no spikes", "expected some"),
    ],
    functools.partial(TWO_LAYERS().data, inputs(), gaussian_signal(200, 1)): [
        ({}, "trains are of 2 neurons", "expected n_outputs = 1"),
    ],
    drawn: [
        ({"weights": WEIGHTS[:1]}, "weights", "expected"),
        ({"weights": WEIGHTS[::-1]}, "weights", "expected"),
        ({"weights": [WEIGHTS[0], WEIGHTS[1] + np.nan]}, "weights", "expected"),
        ({"weights": WEIGHTS, "signal": gaussian_signal(10, 1, channels=2)}, "signal has 2 channels", "expected 1"),
        ({"weights": WEIGHTS, "trials": 0}, "trials = 0", "expected"),
    ],
    coupled: [
        ({"history": 1, "stimulus": 2}, "signal missing", "expected both signal and stimulus"),
        ({"signal": gaussian_signal(200, 20), "history": 1}, "stimulus = None, signal given", "expected both"),
        ({"inputs": inputs()}, "coupling = None, inputs given", "expected both"),
        ({"coupling": 1}, "inputs missing", "expected both"),
        ({"inputs": inputs(), "coupling": [1]},
         "coupling has 1 bases", "expected one for all inputs, or one for each of 2"),
        ({"inputs": inputs(100), "coupling": 1},
         "inputs last from 0 s to 0.1 s in trial 0, trains from 0 s to 0.2 s", "t_start and t_stop"),
        ({"inputs": inputs(trials=2), "coupling": 1}, "inputs have 2 trials, trains 1", "the same"),
        ({"history": 1, "products": [("history", "stimulus")]},
         "products = ", "expected pairs of 'stimulus' and 'coupling'"),
        ({"history": 1, "products": [("stimulus", "stimulus")]},
         "products = ", "the model has no stimulus to multiply"),
        ({"history": 1, "family": Poisson(), "beta": 0.5}, "beta = 0.5", "has no membrane"),
        ({"history": 1, "family": Poisson}, "family = Poisson", "expected an object, Poisson()"),
        ({"history": 1, "smoothness": -1.0}, "smoothness = -1.0", "expected a number from 0"),
    ],
    network: [
        ({"n_hidden": 0}, "n_hidden = 0", "expected a whole number"),
        ({"n_draws": 2, "training": Training(refine=2)}, "refine = 2", "expected 0 with several draws"),
        ({"ridge": -1}, "ridge = -1", "expected"),
        ({"n_draws": 0}, "n_draws = 0", "expected"),
        ({"trains": inputs(), "own_inputs": True}, "signal has 1 channels", "as many for each of 2 neurons"),
        ({"validation": 1.0}, "validation = 1.0", "expected a share"),
        ({"training": Training(window=2000 * ms)}, "2000 steps, and the longest trial has 800", "expected fewer"),
        ({"training": Training(window=0.1 * ms)}, "window = ", "expected a step or more"),
        ({"training": {"epochs": 3}}, "training = {'epochs': 3}", "expected settings such as likelihood.Training("),
        ({"epochs": 3}, "no argument 'epochs'", "use training=Training(epochs=...)"),
        ({"window": 3}, "no argument 'window'", "use training=Training(window=...)"),
        ({"draws": 3}, "no argument 'draws'", "did you mean 'n_draws'?"),
        ({"hidden_noise": False}, "no argument 'hidden_noise'", "did you mean 'noisy'?"),
        ({"family": 0.4}, "family = 0.4", "expected"),
        ({"hidden": nsnn.NSNNNeuron(beta=[0.5, 0.6])}, "hidden = ", "arrays of 4 values"),
        ({"output": nsnn.Relay()}, "output = ", "NSNNNeuron"),
        ({"stimulus": 0}, "stimulus = 0", "expected a basis"),
        ({"signal": analog(np.zeros(1000))}, "stimulus[0]: nothing reaches it", "drop it"),
        ({"trains": [[]]}, "trains hold no spikes of neuron 0 in 800 steps", "expected some"),
        ({"trains": [[0.1]]}, "the last 0.2 of the trains hold no spikes", "expected some"),
        ({"trains": [[0.1001, 0.1002, 0.9]]}, "two spikes in the step", "smaller dt"),
    ],
    lambda **options: TWO_LAYERS(**options).network(WEIGHTS): [
        ({"own_inputs": True, "n_outputs": 2}, "network", "a model whose outputs share"),
        ({"noisy": False}, "noisy = False", "hidden neurons with noise"),
    ],
    Training: [
        ({"epoch": 3}, "no argument 'epoch'", "did you mean 'epochs'?"),
        ({"epochs": 0}, "epochs = 0", "expected a whole number, at least 1"),
        ({"batch": 0.5}, "batch = 0.5", "expected a whole number, at least 1"),
        ({"eta": 1 * ms}, "eta", "expected a plain number"),
        ({"eta": 0}, "eta = 0", "above 0"),
        ({"schedule": "step"}, "schedule = 'step'", "expected one of 'constant', 'cosine'"),
        ({"keep": "first"}, "keep = 'first'", "expected one of 'best', 'last'"),
        ({"window": 50}, "window = 50 has no unit", "expected a time"),
        ({"refine": -1}, "refine = -1", "expected a whole number, at least 0"),
        ({"particles": 1.5}, "particles = 1.5", "expected a whole number, at least 1"),
    ],
    chosen: [
        ({"candidates": []}, "candidates = ", "expected a list of dicts"),
        ({"candidates": {"stimulus": 2}}, "candidates = ", "expected a list of dicts"),
        ({"candidates": [{"basis": 2}]}, "candidates hold basis", "expected options of fit_neuron"),
        ({"candidates": [{"stimulus": 2, "ridge": -1.0}]}, "ridge = -1.0", "expected a number from 0"),
        ({"candidates": [{"stimulus": 2}], "n_folds": 1}, "n_folds = 1", "expected a whole number, at least 2"),
        ({"candidates": [{"stimulus": 2}], "n_folds": 5000}, "n_folds = 5000", "the shortest trial has 1000 steps"),
    ],
    windows: [
        ((np.zeros(3),), "windows = ndarray", "expected a pair"),
        ((np.zeros((4, 20, 3)), SILENT), "shapes (4, 20, 3) and ", "expected x (n, n_steps, 2)"),
        ((0 * ONES, SILENT[:, :, :19]), "shapes ", "o (n, n_repeats, n_steps, 1)"),
        ((0 * ONES + np.nan, SILENT), "windows", "expected finite x"),
        ((ONES, SILENT + 2), "windows", "o of 0 and 1"),
        ((ONES, SILENT), "windows hold no spikes of output 0", "expected some"),
        ((ONES, SILENT + 1), "stimulus[0]: nothing reaches it", "drop it"),
    ],
    functools.partial(windows, ONES, SILENT): [
        ({"training": Training(window=5 * ms)}, "window = ", "expected None, as only fit_network"),
        ({"training": Training(refine=2)}, "refine = 2", "expected 0, as only fit_network"),
        ({"eta": 0.1}, "no argument 'eta'", "use training=Training(eta=...)"),
    ],
}  # fmt: skip


def test_bad_input_is_refused_by_the_name_of_the_argument_and_with_a_cure():
    def of(call, given):
        given = given() if callable(given) else given
        if call is survival:
            given = {"model": CELL, "times": 1 * ms, "noise": WHITE} | given
        return call(*given) if isinstance(given, tuple) else call(**given)

    assert_refused(
        (functools.partial(of, call, given), argument, cure)
        for call, rows in REFUSED.items()
        for given, argument, cure in rows
    )
