"""What every public record keeps: found by its name in `__all__`, so a newcomer is exercised as soon as it has an example here."""

from __future__ import annotations

import dataclasses
import inspect
import json

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import nsnn_neuro as nsnn
from nsnn_neuro.errors import NsnnError
from nsnn_neuro.neurons import Neuron
from nsnn_neuro.noise import Noise
from nsnn_neuro.records import Record
from nsnn_neuro.stimuli import Stimulus

SIGNAL = neo.AnalogSignal(
    np.linspace(0.2, 0.8, 200), units="dimensionless", sampling_period=1 * pq.ms, name="ramp"
)
DIMENSIONLESS = {"v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1.0}
EXPONENTIAL = {
    **DIMENSIONLESS, "tau_m": 10 * ms, "v_thresh": 0.5, "delta_T": 0.1, "v_spike": 2.0, "tau_refrac": 1.3 * ms,
}  # fmt: skip

# a dimensionless example of every public record
EXAMPLES: dict[type, Record] = {
    nsnn.LIF: nsnn.LIF(tau_m=10 * ms, tau_refrac=1.3 * ms, **DIMENSIONLESS),
    nsnn.PIF: nsnn.PIF(tau_m=10 * ms, tau_refrac=1.3 * ms, v_reset=0.0, v_thresh=1.0),
    nsnn.EIF: nsnn.EIF(**EXPONENTIAL),
    nsnn.AdEx: nsnn.AdEx(**EXPONENTIAL, tau_w=50 * ms, a=0.1, b=0.2),
    nsnn.QIF: nsnn.QIF(tau_m=10 * ms, v_rest=0.0, v_reset=-1.0, v_thresh=0.5, v_spike=5.0, tau_refrac=1 * ms),
    nsnn.NSNNNeuron: nsnn.NSNNNeuron(beta=0.8),
    nsnn.WhiteNoise: nsnn.WhiteNoise(0.4, shared=0.2),
    nsnn.OUNoise: nsnn.OUNoise(0.4, 3 * ms, shared=0.2),
    nsnn.EscapeNoise: nsnn.EscapeNoise(nsnn.Logistic(0.1)),
    nsnn.Constant: nsnn.Constant(0.8),
    nsnn.Step: nsnn.Step(1.1, 20 * ms, 180 * ms),
    nsnn.Sinusoid: nsnn.Sinusoid(0.8, 0.3, 20 * Hz),
    nsnn.FrozenNoise: nsnn.FrozenNoise(0.8, 0.2, 5 * ms, seed=2),
    nsnn.Recorded: nsnn.Recorded(SIGNAL),
    nsnn.Gaussian: nsnn.Gaussian(0.3),
    nsnn.Logistic: nsnn.Logistic(0.2),
    nsnn.Uniform: nsnn.Uniform(0.5),
    nsnn.Triangular: nsnn.Triangular(0.6),
    nsnn.Cauchy: nsnn.Cauchy(0.1),
    nsnn.FastSigmoid: nsnn.FastSigmoid(8.0),
}
RUN = {"n_neurons": 3, "trials": 2, "duration": 200 * ms, "dt": 0.5 * ms, "seed": 3, "engine": "numpy"}


def public(base):
    """The public record classes of a kind, but for those that are only there to be subclassed."""
    found = [getattr(nsnn, name) for name in nsnn.__all__]
    bases = (nsnn.Family, nsnn.IntegrateAndFire)
    return [c for c in found if inspect.isclass(c) and issubclass(c, base) and c not in bases]


def test_every_public_record_has_an_example():
    assert set(public(Record)) == set(EXAMPLES)


def spikes(block):
    out = []
    for segment in block.segments:
        ids, times = segment.spiketrains.multiplexed
        out.append((ids.tolist(), times.magnitude.tolist()))
    return out


def fits(neuron, noise):
    """Diffusive noise is for continuous membranes, escape noise for thresholds that don't start their own spike."""
    if neuron is nsnn.NSNNNeuron:
        return noise in (None, nsnn.EscapeNoise)
    return noise is not nsnn.EscapeNoise or neuron.nonlinear is None


def combinations():
    """Every neuron with every noise it can have and every stimulus; every family once."""
    for neuron in public(Neuron):
        for noise in [None, *public(Noise)]:
            if fits(neuron, noise):
                yield neuron, noise, nsnn.Constant, None
        for stimulus in public(Stimulus):
            yield (
                neuron,
                nsnn.EscapeNoise if fits(neuron, nsnn.EscapeNoise) else nsnn.WhiteNoise,
                stimulus,
                None,
            )
    for family in public(nsnn.Family):
        yield nsnn.LIF, nsnn.EscapeNoise, nsnn.Constant, family
        yield nsnn.NSNNNeuron, nsnn.EscapeNoise, nsnn.Constant, family


def name(combination):
    return "-".join(c.__name__ for c in combination if c is not None)


@pytest.mark.parametrize("combination", list(combinations()), ids=name)
def test_it_runs_repeats_and_survives_a_file(combination, tmp_path):
    """Assembles (so dimensions agree), the same seed gives the same spikes, another seed others, and NWB keeps all of it."""
    neuron, noise, stimulus, family = combination
    chosen = None if noise is None else EXAMPLES[noise]
    if family is not None:
        chosen = nsnn.EscapeNoise(EXAMPLES[family])
    parts = (EXAMPLES[neuron], chosen, EXAMPLES[stimulus])
    block = nsnn.simulate(*parts, **RUN)
    assert spikes(block) == spikes(nsnn.simulate(*parts, **RUN))
    if chosen is not None:
        assert spikes(block) != spikes(nsnn.simulate(*parts, **{**RUN, "seed": 4}))
    again = nsnn.load(nsnn.save(block, tmp_path / "run.nwb"))
    assert spikes(again) == spikes(block)
    assert again.annotations["parameters"] == block.annotations["parameters"]


@pytest.mark.parametrize(
    "neuron", [c for c in public(Neuron) if not fits(c, nsnn.EscapeNoise) or not fits(c, nsnn.WhiteNoise)]
)
def test_what_does_not_fit_is_refused_by_name(neuron):
    wrong = nsnn.WhiteNoise if neuron is nsnn.NSNNNeuron else nsnn.EscapeNoise
    with pytest.raises(NsnnError, match=f"noise = {wrong.__name__}"):
        nsnn.simulate(EXAMPLES[neuron], EXAMPLES[wrong], EXAMPLES[nsnn.Constant], **RUN)


@pytest.mark.parametrize("noise", [nsnn.WhiteNoise(0.0), nsnn.OUNoise(0.0, 3 * ms)], ids=["white", "ou"])
@pytest.mark.parametrize("bridge", [True, False])
def test_zero_noise_is_the_deterministic_run(noise, bridge):
    quiet = nsnn.simulate(EXAMPLES[nsnn.LIF], None, nsnn.Constant(1.2), bridge=bridge, **RUN)
    zero = nsnn.simulate(EXAMPLES[nsnn.LIF], noise, nsnn.Constant(1.2), bridge=bridge, **RUN)
    faint = nsnn.simulate(
        EXAMPLES[nsnn.LIF], nsnn.WhiteNoise(1e-12), nsnn.Constant(1.2), bridge=bridge, **RUN
    )
    assert len(quiet.segments[0].spiketrains[0]) > 3
    assert spikes(quiet) == spikes(zero) == spikes(faint)


def test_vanishing_escape_noise_is_the_deterministic_nsnn():
    quiet = nsnn.simulate(EXAMPLES[nsnn.NSNNNeuron], None, nsnn.Constant(0.33), **RUN)
    for family in (nsnn.Gaussian(1e-9), nsnn.Logistic(1e-9), nsnn.Uniform(1e-9), nsnn.Triangular(1e-9)):
        assert spikes(
            nsnn.simulate(EXAMPLES[nsnn.NSNNNeuron], nsnn.EscapeNoise(family), nsnn.Constant(0.33), **RUN)
        ) == spikes(quiet)


@pytest.mark.parametrize("record", EXAMPLES.values(), ids=lambda r: type(r).__name__)
def test_it_describes_itself_as_plain_data(record):
    text = record.describe()
    assert json.loads(json.dumps(text)) == text
    assert text["type"] == type(record).__name__
    assert set(text) >= {f.name for f in dataclasses.fields(record)}


VALUES = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0, 1e-300, 1e300, float("inf"), float("nan"), -0.0]), st.none(),
    st.text(max_size=3), st.lists(st.floats(-5, 5), max_size=3), st.just(3 * ms), st.just(2 * mV), st.just([1, 2, 3] * ms),
)  # fmt: skip


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(list(EXAMPLES)), data=st.data())
def test_fuzzed_parameters_make_a_record_or_a_named_error(kind, data):
    example = EXAMPLES[kind]
    field = data.draw(st.sampled_from([f.name for f in dataclasses.fields(example)]))
    arguments = {f.name: getattr(example, f.name) for f in dataclasses.fields(example)} | {
        field: data.draw(VALUES)
    }
    try:
        record = kind(**arguments)
    except NsnnError:
        return
    record.describe()
