"""What a figure cannot show: the error names the argument and its value, and says a cure."""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import partial
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from helpers.refusals import assert_refused
from helpers.trains import make_block
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import likelihood, measures, plotting

TRIALS = make_block([[[0.1, 0.3, 0.35], [0.2, 0.4]], [[0.25], []], [[0.4], [0.3]], [[0.2], [0.1]]], 2.0)
LAGS: dict[str, Any] = {"bin_width": 10 * pq.ms, "max_lag": 80 * pq.ms}
WINDOW = (-200 * pq.ms, 300 * pq.ms)
TABLE = pd.DataFrame({"x": ["b", "a"], "y": [1, 1], "value": [2.0, 3.0], "se": 0.1, "measure": "cv"})
TWO = TABLE.assign(measure=["cv", "lv"])
SIDES = types.SimpleNamespace(confusion=[[7, 1, 2], [0, 9, 1], [3, 0, 7]], labels=["left", "right", "up"])
KHZ = types.SimpleNamespace(confusion=SIDES.confusion, labels=["16 kHz", "2 kHz", "4 kHz"])
CURVE = measures.tuning_curve([0.0, 90.0, 0.0, 90.0] * pq.deg, [1.0, 2.0, 3.0, 4.0])
POWER = measures.power_spectrum(TRIALS, sampling_rate=100 * pq.Hz, nperseg=20, noverlap=10)
HISTORY = pd.DataFrame({"epoch": [1, 2], "loss": [0.9, 0.5]})


def populations(*sizes: int, units: Any = None) -> neo.Block:
    """TRIALS with these populations; membranes of both neurons of the first, in mV, and of one of the second, in `units`."""
    block = make_block([[[0.1], [0.2], [0.3]]] * 2, 2.0)
    block.annotations["populations"] = [{"name": n, "size": s} for n, s in zip("EI", sizes, strict=False)]
    for name, unit, n in (("E", "mV", 2), ("I", units or "mV", 1)):
        values = neo.AnalogSignal(
            np.zeros((50, n)), units=unit, sampling_rate=100 * pq.Hz, name=f"v of {name}"
        )
        values.array_annotate(neuron=np.arange(n))
        block.segments[0].analogsignals.append(values)
    return block


def fitted(history: int | None = None) -> likelihood.NeuronFit:
    x = neo.AnalogSignal(np.random.default_rng(0).normal(size=500), units="mV", sampling_rate=1 * pq.kHz)
    true = likelihood.NeuronModel(dt=1 * pq.ms, family=nsnn.Gaussian(1.0), stimulus=likelihood.Lags(1))
    return likelihood.fit_neuron(true.simulate([-1.0, 0.5], x), x, dt=1 * pq.ms, stimulus=1, history=history)


Rows = list[tuple[Callable[..., Any], str, str]]
# of raster and psth alike: options, and parts of the message
EVENTS: list[tuple[dict[str, Any], str, str]] = [
    ({"align": 1 * pq.s}, "window = None", "with align expected (start, stop)"),
    ({"align": 1.9 * pq.s, "window": WINDOW}, "event at 1.9 s in trial 0", "1.7 to 2.2 s, leaves"),
    ({"align": [1, 2, 3] * pq.s, "window": WINDOW}, "align has times for 3 trials", "expected one time, or"),
    ({"align": 1.0, "window": WINDOW}, "align = 1.0 has no unit", ""),
    ({"align": [[] * pq.s] * 4, "window": WINDOW}, "align", "expected at least one event"),
    ({"window": (1, 0) * pq.s}, "window = ", "start first"),
    ({"window": 1 * pq.s}, "window = ", "expected (start, stop)"),
    ({"window": (0, 5) * pq.s}, "window = ", "trial 0 runs from 0 to 2 s"),
    ({"conditions": ["a", "b"]}, "conditions", "expected a label for each trial, 4"),
    ({"conditions": [0.5, np.nan, 1, np.nan]}, "conditions[1] = nan", "2 of 4 are missing"),
    ({"conditions": np.array(["a", None, "b", "a"], dtype=object)}, "conditions[1] = None", "1 of 4 are missing"),
    ({"conditions": "label"}, "conditions = 'label'", "no segment has it"),
]  # fmt: skip
SPIKES: Rows = [
    *((lambda ax, wrong=wrong: plotting.raster(TRIALS, neurons=wrong, ax=ax), "neurons = ", "different whole numbers from 0 to 1")
      for wrong in (3, -1, 0.5, [0, 0], [], True, [[0]])),
    (lambda ax: plotting.raster(TRIALS, trials=4, ax=ax), "trials = 4", "expected different whole numbers from 0 to 3"),
    (lambda ax: plotting.raster(TRIALS, trials=1, align=[[1] * pq.s, [] * pq.s, [1] * pq.s, [1] * pq.s], window=WINDOW, ax=ax),
     "trials = 1", "none of these trials has an event in align"),
    (lambda ax: plotting.raster(populations(7), ax=ax), "populations", "add up to 3 neurons"),
    (lambda ax: plotting.psth(populations(2, 1), bin_width=1 * pq.s, conditions=[0, 1], ax=ax), "conditions", "neuron=0"),
    (lambda ax: plotting.psth(TRIALS, bin_width=100 * pq.ms, neuron=3, ax=ax), "neuron = 3", "whole numbers from 0 to 1"),
    (lambda ax: plotting.psth(TRIALS, bin_width=9 * pq.ms, neuron=[0, 1], ax=ax), "neuron = [0, 1]", "neurons="),
    (lambda ax: plotting.psth(make_block([[[0.1]] * 8]), bin_width=9 * pq.ms, neurons=range(8), ax=ax), "neurons = ", "at most 7"),
    (lambda ax: plotting.isi_histogram(TRIALS, bin_width=5 * pq.ms, log=True, ax=ax), "bin_width = 5", "None with log=True"),
    (lambda ax: plotting.isi_histogram(TRIALS, bin_width=1e-5 * pq.ms, ax=ax), "bin_width", "fewer than a million bins"),
    (lambda ax: plotting.membrane(populations(2, 1), population="i", ax=ax), "population = 'i'", "E, I; did you mean 'I'"),
    (lambda ax: plotting.membrane(populations(2, 1), neurons=3, ax=ax), "neurons = 3", "not among the recorded neurons [0, 1, 2]"),
    (lambda ax: plotting.membrane(populations(2, 1, units="V/m"), ax=ax), "have different units", "choose one, population='E'"),
    (lambda ax: plotting.membrane(populations(2, 1), trial=2, ax=ax), "trial = 2", "expected different whole numbers from 0 to 1"),
    (lambda ax: plotting.membrane(TRIALS, ax=ax), 'no signal "v" in the block', "record it with simulate"),
    (lambda ax: plotting.correlogram(TRIALS, max_lag=5 * pq.s, bin_width=10 * pq.ms, ax=ax), "max_lag = ", "shortest trial, 2 s"),
    (lambda ax: plotting.correlogram(measures.cross_correlogram(TRIALS, (0, 1), **LAGS), other=1, ax=ax), "", "show and ax"),
    (lambda ax: plotting.correlogram(TRIALS, neuron=2, ax=ax, **LAGS), "neuron = 2", "whole numbers from 0 to 1"),
    (lambda ax: plotting.correlogram(TRIALS, show="count", ax=ax, **LAGS), "show = 'count'", "did you mean 'counts'"),
    (lambda ax: plotting.correlogram(make_block([[[0.1], []]]), other=1, ax=ax, **LAGS), "0 and neuron 1", "no trial in which"),
    (lambda ax: plotting.phase_histogram(4 * pq.Hz, TRIALS, ax=ax), "ax", 'subplot_kw={"projection": "polar"}'),
    (lambda ax: plotting.phase_histogram(4 * pq.Hz, make_block([[[]]]), ax=ax), "neuron 0 has no spikes", "that fires"),
]  # fmt: skip
TABLES: Rows = [
    (lambda ax: plotting.measure_against(TABLE, "sigma", ax=ax), "no column 'sigma'", "expected one of ['x', "),
    (lambda ax: plotting.measure_against(TABLE.assign(value=["a", "b"]), "x", ax=ax), "column 'value'", "expected numbers"),
    (lambda ax: plotting.measure_against(TWO, "x", ax=ax), "several measures, ['cv', 'lv']", "select one"),
    (lambda ax: plotting.heatmap(TABLE.assign(x=[1.0, np.nan]), "x", "y", ax=ax), "column 'x' of the table has NaN", ""),
    (lambda ax: plotting.heatmap(TABLE.assign(value=["p", "q"]), "x", "y", ax=ax), "column 'value' of the table holds", ""),
    (lambda ax: plotting.heatmap(TWO, "x", "y", ax=ax), "['cv', 'lv']", "select one, table[table[\"measure\"] == 'cv']"),
    (lambda ax: plotting.heatmap(TABLE[:0], "x", "y", ax=ax), "table has no rows", ""),
    (lambda ax: plotting.heatmap(TABLE, "x", "z", ax=ax), "no column 'z'", "expected one of"),
    (lambda ax: plotting.heatmap([1, 2], "x", "z", ax=ax), "table", "expected a pandas DataFrame"),
    (lambda ax: plotting.training_history(HISTORY.drop(columns="loss"), ax=ax), "no column 'loss'", ""),
    (lambda ax: plotting.training_history(HISTORY[:0], ax=ax), "no epoch", ""),
    (lambda ax: plotting.information_against_resolution(3, ax=ax), "result", "measures.rate_vs_temporal or measures.metric_space"),
]  # fmt: skip
RESULTS: Rows = [
    (lambda ax: plotting.confusion(np.ones((2, 3)), ax=ax), "matrix of shape (2, 3)", "expected (K, K)"),
    (lambda ax: plotting.confusion(np.ones((2, 2)), labels=["a"], ax=ax), "labels", "expected one for each of 2 stimuli"),
    (lambda ax: plotting.confusion(np.ones((2, 2)), show="percents", ax=ax), "show = 'percents'", "did you mean 'percent'"),
    # other names would be of the wrong rows
    (lambda ax: plotting.confusion(KHZ, labels=["2kHz", "4kHz", "16kHz"], ax=ax), "labels has '2kHz', '4kHz'", "not in the result"),
    (lambda ax: plotting.confusion(SIDES, labels=["up", "lft", "right"], ax=ax), "labels has 'lft', not in", "lacks the result's"),
    (lambda ax: plotting.confusion(SIDES, labels=["up", "left", "left"], ax=ax), "names twice", "lacks the result's 'right'"),
    (lambda ax: plotting.confusion(SIDES, labels={"lft": "L"}, ax=ax), "labels has 'lft'", "did you mean 'left'?"),
    (lambda ax: plotting.tuning_curve([1, 2], [1.0], ax=ax), "stimulus has 2 values", "expected one for each of 1 trials"),
    (lambda ax: plotting.tuning_curve([1], np.ones((1, 8)), ax=ax), "response has 8 neurons", "choose at most 7"),
    (lambda ax: plotting.tuning_curve([[1]], [1.0], ax=ax), "stimulus has shape (1, 1)", ""),
    (lambda ax: plotting.tuning_curve([1], ["high"], ax=ax), "response = ", "expected a neo.Block, or rates"),
    (lambda ax: plotting.tuning_curve(CURVE, [1.0], ax=ax), "response", "expected no response"),
    (lambda ax: plotting.tuning_curve([0, 90], ax=ax), "without a response", ""),
    (lambda ax: plotting.tuning_curve(CURVE, fit="cosine", ax=ax), "fit = str object", ""),
    (lambda ax: plotting.filters(fitted(), level=2, ax=ax), "level = 2", "expected a number between 0 and 1"),
    (lambda ax: plotting.filters(fitted(), which="history", ax=ax), "the fit has no history filter", ""),
    (lambda ax: plotting.filters(3, ax=ax), "fit = int object", "expected the result of fit_neuron"),
    (lambda ax: plotting.rescaling(3, ax=ax), "fit = int object", "expected the result of fit_neuron"),
    (lambda ax: plotting.misfit(fitted(), ax=ax), "table = NeuronFit object", "expected a pandas DataFrame"),
    (lambda ax: plotting.misfit(fitted().misfit(), alpha=2, ax=ax), "alpha = 2", "expected"),
    (lambda ax: plotting.rescaling({}, ax=ax), "fit is empty", ""),
    (lambda ax: plotting.hidden_states(3, TRIALS, ax=ax), "fit = int object", "fit_states"),
    (lambda ax: plotting.hidden_states(types.SimpleNamespace(posterior=None), TRIALS, ax=ax), "4 trials", "select("),
    (lambda ax: plotting.rescaling(fitted(), level=2, ax=ax), "level = 2", "expected"),
    (lambda ax: plotting.spectrum(POWER, theory=([1.0, 2.0], [1.0]), ax=ax), "theory has arrays of shapes", ""),
    (lambda ax: plotting.spectrum(3, ax=ax), "result = 3", "expected that of measures.power_spectrum"),
    (lambda ax: plotting.coherence([1.0], ax=ax), "result = ", "expected two arrays, frequencies and values"),
    (lambda ax: plotting.network_graph(3, ax=ax), "network = int object", "expected a Network"),
]  # fmt: skip


def test_each_figure_names_the_argument_and_says_a_cure() -> None:
    ax = Figure().subplots()
    assert_refused((partial(call, ax), *parts) for rows in (SPIKES, TABLES, RESULTS) for call, *parts in rows)
    for draw in (plotting.raster, partial(plotting.psth, bin_width=0.1 * pq.s)):
        assert_refused((partial(draw, TRIALS, ax=ax, **options), *parts) for options, *parts in EVENTS)
