"""What every public record keeps: found by its name in `__all__`, so a newcomer is exercised as soon as it has an example here."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, Network, NeuronGroup, ms, mV
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import nsnn_neuro as nsnn
from nsnn_neuro import Neuron, Noise, NsnnError, Stimulus, brian, coding, losses

SIGNAL = neo.AnalogSignal(
    np.linspace(0.2, 0.8, 200), units="dimensionless", sampling_period=1 * pq.ms, name="ramp"
)
DIMENSIONLESS = {"v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1.0}
EXPONENTIAL = {
    **DIMENSIONLESS, "tau_m": 10 * ms, "v_thresh": 0.5, "delta_T": 0.1, "v_spike": 2.0, "tau_refrac": 1.3 * ms,
}  # fmt: skip

# a dimensionless example of every public record
EXAMPLES: dict[type, Any] = {
    nsnn.LIF: nsnn.LIF(tau_m=10 * ms, tau_refrac=1.3 * ms, **DIMENSIONLESS),
    nsnn.PIF: nsnn.PIF(tau_m=10 * ms, tau_refrac=1.3 * ms, v_reset=0.0, v_thresh=1.0),
    nsnn.EIF: nsnn.EIF(**EXPONENTIAL),
    nsnn.AdEx: nsnn.AdEx(**EXPONENTIAL, tau_w=50 * ms, a=0.1, b=0.2),
    nsnn.QIF: nsnn.QIF(tau_m=10 * ms, v_rest=0.0, v_reset=-1.0, v_thresh=0.5, v_spike=5.0, tau_refrac=1 * ms),
    nsnn.GIF: nsnn.GIF(
        tau_m=10 * ms,
        tau_refrac=1.3 * ms,
        **DIMENSIONLESS,
        tau_w=30 * ms,
        b=0.1,
        tau_thresh=20 * ms,
        b_thresh=0.2,
    ),
    nsnn.WangBuzsaki: nsnn.WangBuzsaki(),
    nsnn.NSNNNeuron: nsnn.NSNNNeuron(beta=0.8),
    nsnn.Relay: nsnn.Relay(),
    nsnn.PoissonSource: nsnn.PoissonSource(40 * Hz),
    nsnn.WhiteNoise: nsnn.WhiteNoise(0.4, shared=0.2, weight=0.05),
    nsnn.OUNoise: nsnn.OUNoise(0.4, 3 * ms, shared=0.2),
    nsnn.MultiplicativeNoise: nsnn.MultiplicativeNoise(0.3, -1.0, calculus="ito"),
    nsnn.ConductanceNoise: nsnn.ConductanceNoise(
        g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=4.0, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=-1.0
    ),
    nsnn.ThresholdNoise: nsnn.ThresholdNoise(0.3),
    nsnn.PoissonNoise: nsnn.PoissonNoise(600 * Hz, 0.1, rate_inh=100 * Hz, weight_inh=-0.2),
    nsnn.PoissonInput: nsnn.PoissonInput(60 * Hz, 0.3, synapse=nsnn.ExponentialSynapse(3 * ms), n=10)
    + nsnn.PoissonInput(200 * Hz, 0.1, synapse=nsnn.ConductanceSynapse(5 * ms, 4.0)),
    nsnn.EscapeNoise: nsnn.EscapeNoise(nsnn.Logistic(0.1)),
    nsnn.DoubleNoise: nsnn.DoubleNoise(0.2),
    nsnn.Constant: nsnn.Constant(0.8),
    nsnn.Step: nsnn.Step(1.1, 20 * ms, 180 * ms),
    nsnn.Sinusoid: nsnn.Sinusoid(0.8, 0.3, 20 * Hz),
    nsnn.FrozenNoise: nsnn.FrozenNoise(0.8, 0.2, 5 * ms, seed=2),
    nsnn.Recorded: nsnn.Recorded(SIGNAL),
    nsnn.Filtered: nsnn.Filtered(SIGNAL, gain=0.9, offset=0.3, delay=1.3 * ms),
    nsnn.Transduced: nsnn.Transduced(SIGNAL, gain=0.9, offset=0.3, middle=0.1, width=0.5, adaptation=0.2),
    nsnn.Gaussian: nsnn.Gaussian(0.3),
    nsnn.Logistic: nsnn.Logistic(0.2),
    nsnn.Uniform: nsnn.Uniform(0.5),
    nsnn.Triangular: nsnn.Triangular(0.6),
    nsnn.Cauchy: nsnn.Cauchy(0.1),
    nsnn.FastSigmoid: nsnn.FastSigmoid(8.0),
    nsnn.ExponentialHazard: nsnn.ExponentialHazard(50 * Hz, 0.1),
    nsnn.GaussianHazard: nsnn.GaussianHazard(50 * Hz, 0.2),
    nsnn.PlesserGerstner: nsnn.PlesserGerstner(0.2, tau_m=10 * ms),
    nsnn.DeltaSynapse: nsnn.DeltaSynapse(),
    nsnn.ExponentialSynapse: nsnn.ExponentialSynapse(5 * ms),
    nsnn.AlphaSynapse: nsnn.AlphaSynapse(5 * ms),
    nsnn.ConductanceSynapse: nsnn.ConductanceSynapse(5 * ms, 4.0),
    nsnn.SynapticInput: nsnn.SynapticInput([[0.1]], nsnn.ExponentialSynapse(5 * ms), weight=0.2),
    nsnn.TsodyksMarkram: nsnn.TsodyksMarkram(0.4, 100 * ms, 50 * ms),
    nsnn.AllToAll: nsnn.AllToAll(autapses=False),
    nsnn.OneToOne: nsnn.OneToOne(),
    nsnn.FixedProbability: nsnn.FixedProbability(0.5),
    nsnn.FixedInDegree: nsnn.FixedInDegree(2),
    nsnn.FixedTotalNumber: nsnn.FixedTotalNumber(4),
    nsnn.FromList: nsnn.FromList([0, 1, 2], [2, 0, 1]),
    nsnn.DistanceDependent: nsnn.DistanceDependent(0.9, 0.4),
    nsnn.Convolution: nsnn.Convolution(1, (1, 3), padding=(0, 1), image=(1, 1, 3)),
    nsnn.AveragePooling: nsnn.AveragePooling(1, image=(3, 1, 1)),
    nsnn.Normal: nsnn.Normal(0.5, 0.1),
    nsnn.LogNormal: nsnn.LogNormal(0.5, 0.1),
    nsnn.Between: nsnn.Between(0.2, 0.6),
    nsnn.NDL: nsnn.NDL(0.1),
    nsnn.SurrogateGradient: nsnn.SurrogateGradient(nsnn.Gaussian(0.3), 0.1),
    nsnn.EProp: nsnn.EProp(0.1),
    nsnn.PairSTDP: nsnn.PairSTDP(A_plus=0.1, A_minus=0.1, tau_plus=20 * ms, tau_minus=20 * ms),
    nsnn.RewardModulatedSTDP: nsnn.RewardModulatedSTDP(
        A_plus=0.1, A_minus=0.1, tau_plus=20 * ms, tau_minus=20 * ms, tau_e=500 * ms, eta=0.1
    ),
    nsnn.SGD: nsnn.SGD(),
    nsnn.Momentum: nsnn.Momentum(),
    nsnn.Adam: nsnn.Adam(),
}
CODING: dict[type, Any] = {
    coding.Bernoulli: coding.Bernoulli(0.9),
    coding.Direct: coding.Direct(2.0),
    coding.Latency: coding.Latency(),
    coding.PopulationCode: coding.PopulationCode(3, width=0.8, gain=0.9),
    coding.Count: coding.Count(),
    coding.FirstSpike: coding.FirstSpike(),
    coding.LeakyReadout: coding.LeakyReadout(0.7),
}
IN_VOLTS: dict[type, Any] = {
    nsnn.WhiteNoise: nsnn.WhiteNoise(8 * mV),
    nsnn.OUNoise: nsnn.OUNoise(8 * mV, 3 * ms),
    nsnn.MultiplicativeNoise: nsnn.MultiplicativeNoise(0.3, -90 * mV, calculus="stratonovich"),
    nsnn.ConductanceNoise: nsnn.ConductanceNoise(
        g_e=0.3,
        sigma_e=0.1,
        tau_e=3 * ms,
        e_rev_e=0 * mV,
        g_i=0.2,
        sigma_i=0.1,
        tau_i=10 * ms,
        e_rev_i=-75 * mV,
    ),
    nsnn.PoissonNoise: nsnn.PoissonNoise(600 * Hz, 3 * mV, rate_inh=100 * Hz, weight_inh=-2 * mV),
    nsnn.PoissonInput: nsnn.PoissonInput(60 * Hz, 3 * mV, synapse=nsnn.ExponentialSynapse(3 * ms), n=10)
    + nsnn.PoissonInput(200 * Hz, 0.1, synapse=nsnn.ConductanceSynapse(5 * ms, 0 * mV)),
    nsnn.Constant: nsnn.Constant(12 * mV),
    nsnn.Step: nsnn.Step(15 * mV, 20 * ms, 180 * ms),
    nsnn.Sinusoid: nsnn.Sinusoid(12 * mV, 5 * mV, 20 * Hz),
    nsnn.FrozenNoise: nsnn.FrozenNoise(12 * mV, 3 * mV, 5 * ms, seed=2),
    nsnn.Recorded: nsnn.Recorded(SIGNAL.rescale("dimensionless") * 60 * pq.mV),
    nsnn.Filtered: nsnn.Filtered(SIGNAL, gain=60 * mV, offset=2 * mV),
    nsnn.Transduced: nsnn.Transduced(SIGNAL, gain=60 * mV, offset=2 * mV, middle=0.1, width=0.5),
    nsnn.ConductanceSynapse: nsnn.ConductanceSynapse(5 * ms, 0 * mV),
}
RUN = {"n_neurons": 3, "trials": 2, "duration": 100 * ms, "dt": 0.5 * ms, "seed": 3, "engine": "numpy"}


def public(base):
    """The public record classes of a kind, but for those that are only there to be subclassed."""
    found = [getattr(nsnn, name) for name in nsnn.__all__]
    bases = (
        nsnn.Neuron, nsnn.Noise, nsnn.Stimulus, nsnn.Family, nsnn.Hazard, nsnn.IntegrateAndFire, nsnn.ConductanceBased,
        nsnn.Synapse, nsnn.ConnectionRule, nsnn.Distribution, nsnn.Plasticity, nsnn.Optimizer,
    )  # fmt: skip
    return [c for c in found if inspect.isclass(c) and issubclass(c, base) and c not in bases]


def example(kind, neuron):
    """The example of a kind in the unit of the neuron's membrane."""
    return IN_VOLTS.get(kind, EXAMPLES[kind]) if neuron is nsnn.WangBuzsaki else EXAMPLES[kind]


def run_of(neuron):
    """Arguments of a run; the conductance-based neuron needs short steps."""
    return {**RUN, "dt": 0.05 * ms, "duration": 20 * ms} if neuron is nsnn.WangBuzsaki else RUN


def test_every_public_record_has_an_example():
    assert {c for c in public(object) if hasattr(c, "parameter_fields")} == set(EXAMPLES)


def test_every_encoder_and_decoder_has_an_example():
    found = {getattr(coding, name) for name in coding.__all__} - {coding.Encoder, coding.Decoder}
    assert found == set(CODING)


@pytest.mark.slow
@pytest.mark.parametrize(
    "encoder", [r for r in CODING.values() if isinstance(r, coding.Encoder)], ids=lambda r: type(r).__name__
)
def test_every_encoder_trains_repeats_and_is_read_by_every_decoder(encoder):
    X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
    net = nsnn.feedforward(
        [2 * encoder.units, 4, 2], noise=EXAMPLES[nsnn.EscapeNoise], plasticity=nsnn.NDL(0.5), seed=1
    )
    run = {"loss": losses.rate_mse, "epochs": 2, "n_steps": 6, "engine": "numpy", "keep": "last"}
    fit, again = (nsnn.train(net, (X, y), encoder=encoder, seed=1, **run) for _ in range(2))
    for a, b in zip(fit.network.get_weights(), again.network.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    for decoder in CODING.values():
        if isinstance(decoder, coding.Decoder):
            assert 0 <= fit.evaluate((X, y), decoder=decoder, seed=3)["accuracy"] <= 1


def spikes(block):
    out = []
    for segment in block.segments:
        ids, times = segment.spiketrains.multiplexed
        out.append((ids.tolist(), times.magnitude.tolist()))
    return out


SOURCES = (nsnn.Relay, nsnn.PoissonSource)


def fits(neuron, noise):
    """Which noise a neuron can have."""
    if noise is None:
        return True
    if neuron in SOURCES:
        return False
    if neuron is nsnn.NSNNNeuron:
        return noise in (nsnn.EscapeNoise, nsnn.DoubleNoise)
    if noise is nsnn.DoubleNoise:
        return False
    at_threshold = neuron.nonlinear is None and neuron is not nsnn.WangBuzsaki
    return at_threshold or noise not in (nsnn.EscapeNoise, nsnn.ThresholdNoise)


def combinations():
    """Every neuron with every noise it can have and every stimulus; every family and hazard once."""
    for neuron in public(Neuron):
        for noise in [None, *public(Noise)]:
            if fits(neuron, noise):
                yield neuron, noise, None if neuron is nsnn.PoissonSource else nsnn.Constant, None
        usual = next((n for n in (nsnn.EscapeNoise, nsnn.WhiteNoise) if fits(neuron, n)), None)
        for stimulus in public(Stimulus):
            # one of each kind
            if neuron in (nsnn.LIF, nsnn.WangBuzsaki, nsnn.NSNNNeuron, nsnn.Relay):
                yield neuron, usual, stimulus, None
    for kind in (*public(nsnn.Family), *public(nsnn.Hazard)):
        yield nsnn.LIF, nsnn.EscapeNoise, nsnn.Constant, kind
        if kind is not nsnn.PlesserGerstner:
            yield nsnn.NSNNNeuron, nsnn.EscapeNoise, nsnn.Constant, kind


def name(combination):
    return "-".join(c.__name__ for c in combination if c is not None)


def covering():
    """Combinations in which each neuron, noise, stimulus, family and hazard is there once at least."""
    seen: set[Any] = set()
    for c in combinations():
        new = set(c) - {None} - seen
        if new:
            seen |= new
            yield c


COVERING = list(covering())


def parts_of(combination):
    """A neuron, its noise and its stimulus."""
    neuron, noise, stimulus, kind = combination
    chosen = None if noise is None else example(noise, neuron)
    if kind is not None:
        hazard = issubclass(kind, nsnn.Hazard)
        chosen = nsnn.EscapeNoise(hazard=EXAMPLES[kind]) if hazard else nsnn.EscapeNoise(EXAMPLES[kind])
    return EXAMPLES[neuron], chosen, None if stimulus is None else example(stimulus, neuron)


@pytest.mark.slow  # every neuron with every noise repeats its spikes in test_golden.py
@pytest.mark.parametrize("combination", COVERING, ids=name)
def test_it_runs_and_its_noise_differs_between_trials_and_seeds(combination):
    parts, run = parts_of(combination), run_of(combination[0])
    noisy = parts[1] is not None or combination[0] is nsnn.PoissonSource
    one, two = spikes(nsnn.simulate(*parts, **run))
    assert (one != two) == noisy
    if noisy:
        assert [one, two] != spikes(nsnn.simulate(*parts, **{**run, "seed": 4}))


@pytest.mark.slow
@pytest.mark.parametrize("combination", COVERING[::6], ids=name)
def test_spikes_and_parameters_survive_a_file(combination, tmp_path):
    block = nsnn.simulate(*parts_of(combination), **run_of(combination[0]))
    again = nsnn.load(nsnn.save(block, tmp_path / "run.nwb"))
    assert spikes(again) == spikes(block)
    assert again.annotations["parameters"] == block.annotations["parameters"]


def test_what_does_not_fit_is_refused_by_name():
    for neuron, noise in itertools.product(public(Neuron), public(Noise)):
        if not fits(neuron, noise):
            with pytest.raises(NsnnError, match=f"noise = {noise.__name__}"):
                nsnn.simulate(EXAMPLES[neuron], EXAMPLES[noise], **RUN)
    mapped = nsnn.EscapeNoise(hazard=EXAMPLES[nsnn.PlesserGerstner])
    for neuron in (nsnn.PIF, nsnn.NSNNNeuron):  # it is for leaky neurons
        with pytest.raises(NsnnError, match="hazard = PlesserGerstner"):
            nsnn.simulate(EXAMPLES[neuron], mapped, **RUN)


@pytest.mark.slow
@pytest.mark.parametrize("synapse", public(nsnn.Synapse), ids=lambda c: c.__name__)
@pytest.mark.parametrize("neuron", [nsnn.LIF, nsnn.WangBuzsaki, nsnn.NSNNNeuron])
def test_every_neuron_takes_every_synapse(neuron, synapse):
    """From Poisson sources; other weights give other spikes of the same seed. An NSNN neuron takes jumps alone."""
    unit = mV if neuron is nsnn.WangBuzsaki and synapse is not nsnn.ConductanceSynapse else 1
    source = nsnn.Population(3, nsnn.PoissonSource(100 * Hz), name="source")
    noise = example(next(n for n in (nsnn.WhiteNoise, nsnn.EscapeNoise) if fits(neuron, n)), neuron)
    drive = example(nsnn.Constant, neuron)
    target = nsnn.Population(3, EXAMPLES[neuron], noise=noise, stimulus=drive, name="target")
    if neuron is nsnn.NSNNNeuron and synapse is not nsnn.DeltaSynapse:
        with pytest.raises(NsnnError, match="synapse"):
            nsnn.Projection(source, target, rule=nsnn.AllToAll(), weight=0.5, synapse=EXAMPLES[synapse])
        return
    scale = {"rule": nsnn.AllToAll(), "synapse": example(synapse, neuron)}
    found = []
    for weight in (0.3, 0.0):
        size = weight * (20 if unit is mV else 1)
        net = nsnn.Network([source, target], [nsnn.Projection(source, target, weight=size * unit, **scale)])
        run = {k: v for k, v in run_of(neuron).items() if k != "n_neurons"}
        found.append(spikes(nsnn.simulate(net, **run)))
    assert found[0] != found[1]


@pytest.mark.parametrize("rule", public(nsnn.ConnectionRule), ids=lambda c: c.__name__)
def test_every_rule_makes_a_network_that_runs(rule):
    """A cell fires when, and only when, it has a synapse from the source that fires."""
    source = nsnn.Population(3, nsnn.Relay(), stimulus=nsnn.Step(1.0, 5 * ms, 6 * ms), name="source")
    target = nsnn.Population(3, nsnn.NSNNNeuron(), name="target")
    net = nsnn.Network(
        [source, target], [nsnn.Projection(source, target, rule=EXAMPLES[rule], weight=1.5)], seed=3
    )
    block = nsnn.simulate(net, duration=10 * ms, dt=1 * ms, engine="numpy")
    fired = {k - 3 for k, t in enumerate(block.segments[0].spiketrains) if k >= 3 and len(t)}
    assert fired == set(net.connections(net.projections[0]).post.tolist()) != set()


@pytest.mark.slow
@pytest.mark.parametrize("rule", public(nsnn.Plasticity), ids=lambda c: c.__name__)
def test_every_plasticity_rule_moves_weights_by_its_own_text(rule):
    """One step with spikes on both sides, Brian2's own schedule; a rule that has a learning signal does nothing when told 0."""
    found = []
    for told in (1.0, 0.0):
        with brian.running("numpy") as device:
            equations = f"u : 1\no : 1\n{rule.signal_name} : 1"
            source, target = (
                NeuronGroup(2, equations, threshold="True", reset="o = 1", namespace={}, dt=1 * ms)
                for _ in range(2)
            )
            setattr(target, rule.signal_name, told)
            needs = inspect.signature(rule.text).parameters
            neuron = {"beta": 0.5, "theta": 1.0} if "beta" in needs else {}
            noise = {"noise": nsnn.Gaussian(0.4)} if rule is nsnn.NDL else {}
            synapses = nsnn.plastic_synapses(EXAMPLES[rule], source, target, **neuron, **noise)
            synapses.connect()
            synapses.w = 0.5
            brian.run(Network(source, target, synapses), 1e-3, device, False)
            found.append(np.array(synapses.w[:]) - 0.5)
    assert np.all(found[0] != 0)
    if rule is not nsnn.PairSTDP:
        np.testing.assert_array_equal(found[1], 0)


@pytest.mark.parametrize("law", public(nsnn.Distribution), ids=lambda c: c.__name__)
def test_every_distribution_gives_weights_and_delays(law):
    delay = {
        nsnn.Normal: nsnn.Normal(3 * ms, 1 * ms, low=0 * ms),
        nsnn.LogNormal: nsnn.LogNormal(3 * ms, 1 * ms),
        nsnn.Between: nsnn.Between(1 * ms, 5 * ms),
    }
    source = nsnn.Population(3, nsnn.Relay(), stimulus=nsnn.Step(1.0, 5 * ms, 6 * ms), name="source")
    target = nsnn.Population(4, nsnn.NSNNNeuron(beta=0.0, theta=1e9), name="target")
    wire = nsnn.Projection(source, target, rule=nsnn.AllToAll(), weight=EXAMPLES[law], delay=delay[law])
    net = nsnn.Network([source, target], [wire], seed=3)
    block = nsnn.simulate(net, duration=20 * ms, dt=1 * ms, engine="numpy", record_v={"target": True})
    found, expected = net.connections(wire), np.zeros((20, 4))
    for j, w, d in zip(found.post, found.weight, found.delay, strict=True):
        expected[5 + round(1e3 * d), j] += w
    v = next(s for s in block.segments[0].analogsignals if s.name == "v of target")
    np.testing.assert_allclose(v.magnitude, expected, rtol=0, atol=1e-12)
    assert np.unique(found.weight).size == np.unique(found.delay).size == 12


STILL = nsnn.ConductanceNoise(
    g_e=0.0, sigma_e=0.0, tau_e=3 * ms, e_rev_e=4.0, g_i=0.0, sigma_i=0.0, tau_i=10 * ms, e_rev_i=-1.0
)


def test_zero_noise_is_the_deterministic_run():
    def run(noise, bridge=True):
        return spikes(nsnn.simulate(EXAMPLES[nsnn.LIF], noise, nsnn.Constant(1.2), bridge=bridge, **RUN))

    quiet = run(None)
    assert len(quiet[0][1]) > 3
    for noise in (
        *(nsnn.WhiteNoise(0.0), nsnn.WhiteNoise(1e-12), nsnn.OUNoise(0.0, 3 * ms), nsnn.ThresholdNoise(0.0)),
        *(nsnn.MultiplicativeNoise(0.0, -1.0, calculus="ito"), nsnn.PoissonNoise(0 * Hz, 0.1), STILL),
    ):
        assert run(noise) == quiet, noise
    assert run(nsnn.WhiteNoise(1e-12), bridge=False) == run(None, bridge=False)


def test_vanishing_escape_noise_is_the_deterministic_nsnn():
    quiet = nsnn.simulate(EXAMPLES[nsnn.NSNNNeuron], None, nsnn.Constant(0.33), **RUN)
    for family in (nsnn.Gaussian(1e-9), nsnn.Logistic(1e-9), nsnn.Uniform(1e-9), nsnn.Triangular(1e-9)):
        assert spikes(
            nsnn.simulate(EXAMPLES[nsnn.NSNNNeuron], nsnn.EscapeNoise(family), nsnn.Constant(0.33), **RUN)
        ) == spikes(quiet)


def test_every_record_describes_itself_as_plain_data():
    for record in (EXAMPLES | CODING).values():
        text = record.describe()
        assert json.loads(json.dumps(text)) == text
        assert text["type"] == type(record).type_name()
        assert set(text) >= {f.name for f in record.described_fields()}


VALUES = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0, 1e-300, 1e300, float("inf"), float("nan"), -0.0]), st.none(),
    st.text(max_size=3), st.lists(st.floats(-5, 5), max_size=3), st.just(3 * ms), st.just(2 * mV), st.just([1, 2, 3] * ms),
)  # fmt: skip


@pytest.mark.slow
@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(kind=st.sampled_from(list(EXAMPLES | CODING)), data=st.data())
def test_fuzzed_parameters_make_a_record_or_a_named_error(kind, data):
    example = (EXAMPLES | CODING)[kind]
    assume(dataclasses.fields(example))
    field = data.draw(st.sampled_from([f.name for f in dataclasses.fields(example)]))
    arguments = {f.name: getattr(example, f.name) for f in dataclasses.fields(example)} | {
        field: data.draw(VALUES)
    }
    try:
        record = kind(**arguments)
    except NsnnError:
        return
    record.describe()
