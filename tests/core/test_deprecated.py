"""Old names and orders of arguments work for one release, with a warning that names the cure."""

import inspect

import neo
import numpy as np
import pytest
import quantities as pq
from matplotlib.figure import Figure

from nsnn_neuro import LIF, NsnnError, measures, perturb, plotting, to_block
from nsnn_neuro.core import parameters  # the documented place of the old name of the models' base

RNG = np.random.default_rng(0)
TRAINS = measures.as_repeats(list(np.sort(RNG.random((4, 20)))), t_start=0 * pq.s, t_stop=1 * pq.s)
LABELS = [0, 1, 0, 1]
WIDTH = 100 * pq.ms


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (measures.words, (TRAINS,)),
        (measures.information_per_spike, (TRAINS,)),
        (measures.decode, (TRAINS, LABELS)),
        (measures.word_entropies, (TRAINS,)),
        (measures.direct_information_rate, (TRAINS,)),
    ],
)
def test_bin_is_now_bin_width(function, arguments):
    more = {"n_folds": 2, "n_shuffle": 0} if function is measures.decode else {}
    if function in (measures.word_entropies, measures.direct_information_rate):
        more = {"word_lengths": [1], "bias": "none"}
    with pytest.warns(
        DeprecationWarning, match=rf"{function.__name__}\(bin=...\) .*: use .*bin_width="
    ) as caught:
        old = function(*arguments, bin=WIDTH, **more)
    assert caught[0].filename == __file__
    assert str(old) == str(function(*arguments, bin_width=WIDTH, **more))
    with pytest.raises(NsnnError, match="both bin_width and bin, its old name"):
        function(*arguments, bin=WIDTH, bin_width=WIDTH, **more)


SIGNAL = neo.AnalogSignal(np.arange(1000.0), units="mV", sampling_rate=1 * pq.kHz)
COUNTS = RNG.poisson(3.0, (8, 3))
STIMULUS = [0, 1] * 4


@pytest.mark.parametrize(
    ("function", "stimulus", "responses", "more"),
    [
        (measures.spike_triggered_average, SIGNAL, TRAINS, {"before": 5 * pq.ms, "after": 5 * pq.ms}),
        (measures.spike_triggered_average, [SIGNAL] * 4, TRAINS, {"before": 5 * pq.ms, "after": 5 * pq.ms}),
        (measures.rate_vs_temporal, LABELS, TRAINS, {"resolutions": [0.5] * pq.s, "n_shuffle": 0}),
        (measures.law_of_total_covariance, STIMULUS, COUNTS, {}),
        (measures.signal_correlation, STIMULUS, COUNTS.tolist(), {"bias": None}),
    ],
)
def test_the_stimulus_comes_before_the_responses(function, stimulus, responses, more):
    new = function(stimulus, responses, **more)
    with pytest.warns(DeprecationWarning, match=f"is deprecated: use {function.__name__}"):
        old = function(responses, stimulus, **more)
    assert str(old) == str(new)
    first = next(iter(inspect.signature(function).parameters))
    with pytest.warns(DeprecationWarning, match=f"use {function.__name__}"):
        assert str(function(responses, **{first: stimulus}, **more)) == str(new)


BLOCK = to_block([[[0.1, 0.2, 0.4], [0.15, 0.3]]] * 4, t_stop=1 * pq.s)


@pytest.mark.parametrize(
    ("function", "old", "arguments"),
    [
        (plotting.psth, "neurons", {"bin_width": WIDTH}),
        (plotting.isi_histogram, "neurons", {}),
        (plotting.correlogram, "neurons", {"bin_width": 10 * pq.ms, "max_lag": 50 * pq.ms}),
        (plotting.raster, "neuron", {}),
        (plotting.rate_map, "neuron", {"bin_width": WIDTH}),
    ],
)
def test_neuron_is_one_and_neurons_are_several(function, old, arguments):
    new = {"neurons": "neuron", "neuron": "neurons"}[old]
    name = function.__name__
    with pytest.warns(
        DeprecationWarning, match=rf"{name}\({old}=...\) is deprecated: use {name}\({new}=...\)"
    ) as caught:
        function(BLOCK, **{old: 1}, **arguments, ax=Figure().subplots())
    assert caught[0].filename == __file__
    parameters = inspect.signature(function).parameters
    assert new in parameters
    assert old not in parameters


def test_quantised_is_now_quantise():
    with pytest.warns(DeprecationWarning, match="perturb.quantised is deprecated: use .*perturb.quantise"):
        assert perturb.quantised is perturb.quantise
    with pytest.raises(AttributeError, match="no attribute 'quantize'"):
        _ = perturb.quantize


def test_record_is_now_model():
    with pytest.warns(
        DeprecationWarning, match="parameters.Record is deprecated: use .*parameters.Model"
    ) as caught:
        assert parameters.Record is parameters.Model
    assert caught[0].filename == __file__
    assert issubclass(LIF, parameters.Model)
    with pytest.raises(AttributeError, match="no attribute 'Records'"):
        _ = parameters.Records


def test_noise_correlation_takes_the_stimulus_by_its_name():
    """Its old forms: the stimulus as second argument, and the name `counts` of the first."""
    new = measures.noise_correlation(COUNTS, stimulus=STIMULUS)
    with pytest.warns(
        DeprecationWarning,
        match=r"noise_correlation\(block, stimulus\) is deprecated: use noise_correlation\(block, stimulus=stimulus\)",
    ) as caught:
        old = measures.noise_correlation(COUNTS, STIMULUS)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(old, new)
    with pytest.warns(
        DeprecationWarning, match=r"counts=\.\.\.\) is deprecated: use noise_correlation\(block="
    ) as caught:
        old = measures.noise_correlation(counts=COUNTS, stimulus=STIMULUS)
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(old, new)
    with pytest.raises(TypeError, match="takes 1 argument without a name, block, and 3"):
        measures.noise_correlation(COUNTS, STIMULUS, None)
    with pytest.raises(TypeError, match="takes 1 argument without a name"):
        measures.noise_correlation(COUNTS, STIMULUS, stimulus=STIMULUS)
    first, *others = inspect.signature(measures.noise_correlation).parameters.values()
    assert first.name == "block"
    assert {one.kind for one in others} == {inspect.Parameter.KEYWORD_ONLY}
