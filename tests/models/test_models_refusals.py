"""What models refuse: a call, the argument that the error names, and words of what it expected or of the cure."""

from __future__ import annotations

import dataclasses

import neo
import numpy as np
import quantities as pq
from brian2 import Hz, Mohm, NeuronGroup, PoissonGroup, SpikeGeneratorGroup, ms, mV, nS
from helpers.refusals import assert_refused

import nsnn_neuro as nsnn
from nsnn_neuro import (
    LIF,
    NDL,
    AllToAll,
    AveragePooling,
    Between,
    ConductanceSynapse,
    Constant,
    Convolution,
    DistanceDependent,
    EProp,
    EscapeNoise,
    ExponentialSynapse,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    FromList,
    Gaussian,
    LogNormal,
    Network,
    Normal,
    NSNNNeuron,
    OneToOne,
    PairSTDP,
    PoissonSource,
    Population,
    Projection,
    Relay,
    Residual,
    SurrogateGradient,
    TsodyksMarkram,
    WhiteNoise,
    balanced,
    brunel,
    convolutional,
    feedforward,
    microcircuit,
    recurrent,
    theory,
)  # fmt: skip

VOLTS = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
PLAIN = LIF(tau_m=20 * ms, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=2 * ms)
NOISE = EscapeNoise(Gaussian(0.4))
INPUT = Population(4, Relay(), name="input")
UNITS = Population(3, NSNNNeuron(), noise=NOISE, name="units")
CELLS = Population(5, VOLTS, noise=WhiteNoise(1 * mV), stimulus=Constant(15 * mV), name="cells")
THREE, TWO, ONE = (Population(n, NSNNNeuron(), name=name) for n, name in ((3, "a"), (2, "b"), (1, "one")))
LINE = Population(3, NSNNNeuron(), name="line", positions=[0, 1, 2])


CONDUCTANCE = ConductanceSynapse(5 * ms, 0 * mV)


def population(n=3, neuron=PLAIN, **given):
    return Population(n, neuron, **{"name": "p"} | given)


def project(pre=INPUT, post=UNITS, **given):
    return Projection(pre, post, **{"rule": AllToAll(), "weight": 0.5} | given)


class Astray(nsnn.ConnectionRule):
    def connect(self, pre, post, rng):
        return np.arange(pre.n), np.arange(pre.n)


def between_cells(**given):
    return Projection(CELLS, CELLS, **{"rule": FromList([0, 1, 2], [1, 2, 3])} | given)


def test_rules_and_laws_refuse_by_name_with_a_cure():
    rows = [
        (lambda: FixedProbability(-0.1), "p = -0.1", "a value from 0 to 1"),
        (lambda: AllToAll(autapses=2), "autapses = 2", "expected True or False"),
        (lambda: FixedInDegree(-1), "k = -1", "a whole number"),
        (lambda: FixedInDegree(4).check(THREE, TWO), "k = 4", "at most 3"),
        (lambda: FixedInDegree(3).check(THREE, THREE), "k = 3", "at most 2"),
        (lambda: FixedTotalNumber(7).check(THREE, TWO), "n = 7", "at most 6"),
        (lambda: FixedTotalNumber(7).check(THREE, THREE), "n = 7", "or multapses=True"),
        (lambda: FixedTotalNumber(1, multapses=True).check(ONE, ONE), "n = 1", "at most 0"),
        (lambda: OneToOne().check(THREE, TWO), "populations of 3 and 2 neurons", "equal sizes"),
        (lambda: FromList([0, 1], [0]), "pre has 2", "post 1 values"),
        (lambda: FromList([0.5], [0]), "pre = [0.5]", "an array of indices"),
        (lambda: FromList([0], [-1]), "post = [-1]", "an array of indices"),
        (lambda: FromList([0], [2**31]), "post = [2147483648]", "an array of indices"),
        (lambda: FromList([0], [2]).check(THREE, TWO), "post has the index 2", "0 to 1, the neurons of 'b'"),
        (lambda: FromList([0, 1], [0, 2]).check(THREE, TWO), "are pre and post exchanged?", "FromList(*W.nonzero())"),
        (lambda: FromList([1, 2, 3], [0, 1, 2]).check(THREE, THREE), "counted from 1?", "Subtract 1"),
        (lambda: DistanceDependent(0.5, 0.0), "scale = 0.0", "a positive value"),
        (lambda: DistanceDependent(0.5, 0.1, profile=None), "profile = None", "expected"),
        (lambda: DistanceDependent(0.5, 0.1).check(THREE, LINE), "'a' and 'line'", "ring and 1 dimension"),
        (lambda: Normal(0.1 * mV, 0.2), "mean = 100. uV, sd = 0.2", "the same unit"),
        (lambda: Normal(0.1, -0.2), "sd = -0.2", "zero or a positive value"),
        (lambda: Normal(0.1, 0.2, low=1.0, high=0.0), "low = 1.0", "a value below high = 0.0"),
        (lambda: Normal(0.0, 0.1, low=1.0), "low = 1.0", "only a fraction"),
        (lambda: LogNormal(0.0, 0.1), "mean = 0.0", "other than zero"),
        (lambda: Between(1 * ms, 1 * ms), "low = 1. ms", "a value below high = 1. ms"),
    ]  # fmt: skip
    assert_refused(rows)
    for rule, pre in ((FixedInDegree, ONE), (FixedTotalNumber, THREE)):  # with multapses as many as one likes
        rule(7, multapses=True).check(pre, TWO)


def image_of(rule, pre=20, post=5):
    ends = Population(pre, Relay(), name="pre"), Population(post, NSNNNeuron(), name="post")
    return Projection(*ends, rule=rule, weight=0.5)


def shared(rule=None, weight=0.5, **given):
    rule = rule or Convolution(2, (3, 2), padding=1, image=(3, 6, 4))
    sizes = (int(np.prod(rule.image)), int(np.prod(rule.post_image)))
    pre, post = Population(sizes[0], Relay(), name="pre"), Population(sizes[1], NSNNNeuron(), name="post")
    return Network([pre, post], [Projection(pre, post, rule=rule, weight=weight, **given)])


def test_convolutions_and_poolings_refuse_by_name_with_a_cure():
    data = (np.ones((4, 72)), np.array([0, 1, 0, 1]))
    rows = [
        (lambda: Convolution(0, 3), "channels = 0", "a whole number from 1 to"),
        (lambda: Convolution(2, 3.0), "kernel = 3.0", "a whole number from 1"),
        (lambda: Convolution(2, (3, 3, 3)), "kernel = (3, 3, 3)", "expected"),
        (lambda: Convolution(2, 3, padding=-1), "padding = -1", "a whole number from 0"),
        (lambda: Convolution(2, 3, image=(8, 8)), "image = (8, 8)", "(channels, height, width)"),
        (lambda: Convolution(2, 3, image=(1, 8, 2)), "image = (1, 8, 2)", "smaller, with its padding of (0, 0), than"),
        (lambda: AveragePooling(0), "size = 0", "expected"),
        (lambda: AveragePooling(2, stride=0), "stride = 0", "expected"),
        (lambda: AveragePooling(3, image=(1, 2, 8)), "image = (1, 2, 8)", "than the window of (3, 3)"),
        (lambda: Convolution(2, 3).post_image, "image = None", "(channels, height, width)"),
        (lambda: image_of(Convolution(2, 3)), "image = None", "expected"),
        (lambda: image_of(Convolution(2, 3, image=(1, 4, 4))), "pre = 'pre' has 20 neurons", "16, "),
        (lambda: image_of(Convolution(2, 3, image=(1, 5, 4))), "post = 'post' has 5 neurons", "12, "),
        (lambda: shared(weight=np.ones((3, 2, 3, 2))), "weight of 'pre->post' has shape", "(2, 3, 3, 2)"),
        (lambda: shared(plasticity=NDL(0.1)), "plasticity = NDL", "deep.from_network"),
        (lambda: nsnn.train(shared(), data, loss=nsnn.losses.rate_mse, epochs=1, seed=1),
         "'pre->post': the synapses", "deep.from_network"),
    ]  # fmt: skip
    assert_refused(rows)


def test_populations_projections_and_networks_refuse_by_name_with_a_cure():
    loop = project(pre=UNITS)
    rows = [
        (lambda: population(0), "n = 0", "a whole number from 1"),
        (lambda: population(neuron=LIF), "neuron = <class ", "a neuron model"),
        (lambda: population(noise=0.3), "noise = 0.3", "a noise model"),
        (lambda: population(stimulus=0.3), "stimulus = 0.3", "a stimulus"),
        (lambda: population(name="3rd"), "name = '3rd'", "a text"),
        (lambda: population(name="a\n"), "name = ", "a text"),
        (lambda: population(neuron=Relay(), noise=WhiteNoise(0.1)), "noise = ", "a Relay has no membrane and takes no noise"),
        (lambda: population(neuron=PoissonSource(1 * Hz), stimulus=Constant(0.1)), "stimulus = ", "takes no stimulus"),
        (lambda: population(neuron=NSNNNeuron(), noise=WhiteNoise(0.1)), "noise = WhiteNoise", "escape noise"),
        (lambda: population(neuron=NSNNNeuron(theta=[1.0, 2.0])), "theta of NSNNNeuron has 2 values", "one, or n = 3"),
        (lambda: population(noise=EscapeNoise(Gaussian([0.1, 0.2]))), "sigma of Gaussian has 2 values", "population 'p'"),
        (lambda: population(stimulus=Constant([0.1] * 4)), "v of Constant has 4 values", "one, or n = 3"),
        (lambda: PoissonSource(-1 * Hz), "rate = -1. Hz", "zero or a positive value"),
        (lambda: population(positions=[0.0, 1.0]), "positions has shape (2,)", "n = 3"),
        (lambda: population(positions=[0.0, 1.0, np.inf]), "positions has shape", "expected"),
        (lambda: population(positions=[0, 1, 2] * mV), "positions = ", "a plain number"),
        (lambda: project(pre="input"), "pre = 'input'", "a Population"),
        (lambda: project(post=INPUT), "post = 'input'", "a Relay takes no input"),
        (lambda: project(rule=AllToAll), "rule = <class ", "a connection rule"),
        (lambda: project(rule=FixedInDegree(5)), "k = 5", "at most 4"),
        (lambda: project(post=CELLS), "weight = 0.5 has no unit", "a voltage"),
        (lambda: project(weight=np.inf), "weight = inf", "finite values"),
        (lambda: project(weight=np.ones((3, 4))), "weight of 'input->units' has shape (3, 4)", "(n_pre, n_post) = (4, 3)"),
        (lambda: project(rule=FixedInDegree(2), weight=np.ones(5)), "has shape (5,)", "(n_synapses,) = (6,)"),
        (lambda: project(delay=1.5), "delay = 1.5 has no unit", "a time"),
        (lambda: project(delay=-1 * ms), "delay = -1. ms", "no negative times"),
        (lambda: project(delay=[1, 2] * ms), "delay of 'input->units' has shape (2,)", "(12,)"),
        (lambda: project(delay=Normal(1 * ms, 1 * ms)), "delay = Normal", "e.g. with low=0"),
        (lambda: project(delay=Normal(0.0, 1.0)), "delay = Normal", "the unit of a time"),
        (lambda: project(synapse="jmp"), "synapse = 'jmp'", '"jump" or a synapse'),
        (lambda: project(synapse=ExponentialSynapse(5 * ms)), "synapse = ", "an NSNNNeuron only takes jumps"),
        (lambda: project(post=CELLS, synapse=ConductanceSynapse(5 * ms, 0.0)), "e_rev = 0.0 of ConductanceSynapse", "no unit"),
        (lambda: project(post=CELLS, synapse=nsnn.AlphaSynapse([1, 2] * ms)), "tau_syn of AlphaSynapse has 2 values", "n = 5"),
        (lambda: project(release=1.5), "release = 1.5", "a number from 0 to 1"),
        (lambda: project(plasticity="stdp"), "plasticity = 'stdp'", "a learning rule such as NDL"),
        (lambda: project(name="1st"), "name = '1st'", "a text for the projection"),
        (lambda: project(rule=DistanceDependent(0.5, 0.1), pre=population(positions=np.eye(3))), "'p' and 'units'", "ring"),
        (lambda: between_cells(weight=np.ones(3)), "weight = ", "for conductances give synapse=ConductanceSynapse"),
        (lambda: between_cells(weight=0.5 * nS, synapse=CONDUCTANCE), "weight = 0.5 nS", "divide it by the leak conductance"),
        (lambda: between_cells(weight=np.ones((5, 5)), synapse=CONDUCTANCE), "'cells->cells' has shape (5, 5)", "give W[pre, p"),
        (lambda: Network([UNITS, INPUT], [project(rule=FixedProbability(0.5), weight=[0.1] * 3)]).connections("input->units"),
         "weight of 'input->units' has shape (3,)", "expected"),
        (lambda: Network([UNITS, INPUT], [project(rule=Astray())]).connections("input->units"),
         "Astray.connect gave post of shape (4,)", "indices from 0 to 2"),
        (lambda: Network([], []), "populations is empty", ""),
        (lambda: Network(UNITS, []), "populations = Population", "a list of Population objects"),
        (lambda: Network([UNITS], loop), "projections = Projection", "a list"),
        (lambda: Network([UNITS, loop], []), "populations[1] = ", "a Population"),
        (lambda: Network([UNITS, UNITS]), "populations[1]", "in the list twice"),
        (lambda: Network([UNITS, population(name="units")]), "populations", "the name 'units' twice"),
        (lambda: Network([UNITS], [loop, loop]), "projections[1]", "in the list twice"),
        (lambda: Network([UNITS], [project()]), "projections[0], 'input->units'", "its pre population is not in"),
        (lambda: Network([INPUT], [project()]), "projections[0], 'input->units'", "its post population is not in"),
        (lambda: Network([UNITS], [project(UNITS, name="a"), project(UNITS, name="a")]), "projections", "the name 'a' twice"),
        (lambda: Network([UNITS], seed=1.0), "seed = 1.0", "None or an integer"),
        (lambda: Network([UNITS]).population("unit"), "name = 'unit'", "did you mean 'units'?"),
        (lambda: Network([UNITS], [loop]).projection("in"), "name = 'in'", "expected one of units->units"),
        (lambda: Network([UNITS], [loop]).connections(project()), "projection 'input->units'", "not in this network"),
        (lambda: Network([UNITS]).connections("x"), "the network has no projections", ""),
        (lambda: Network([UNITS]).size(trials=0), "trials = 0", "a whole number"),
        (lambda: Network([UNITS]).size(engine="brian"), "engine = 'brian'", "expected one of"),
    ]  # fmt: skip
    assert_refused(rows)


class Odd(nsnn.Neuron):
    state = "u"
    membrane_unit = "1"


def test_presets_refuse_by_name_with_a_cure():
    image = (1, 8, 8)
    rows = [
        (lambda: brunel(g=-1, eta=2), "g = -1", "one number of at least 0"),
        (lambda: brunel(g=5, eta=2, J=0.1), "J = 0.1 has no unit", "expected"),
        (lambda: brunel(g=5, eta=2, J=0 * mV), "J = 0. V", "one number above 0"),
        (lambda: brunel(g=5, eta=2, epsilon=1.5), "epsilon = 1.5", "one number above 0, at most 1"),
        (lambda: brunel(g=5, eta=2, n_i=4), "epsilon = 0.1", "an in-degree of 0"),
        (lambda: brunel(g=5, eta=2, delay=-1 * ms), "delay = -1. ms", "no negative times"),
        (lambda: balanced(k=0), "k = 0", "expected"),
        (lambda: balanced(k=2000), "k = 2000", "at most 1999"),
        (lambda: balanced(x_i=0.95), "x_e / x_i = 1.053, j_ei / j_ii = 1.111, j_ee / j_ie = 1", "decreasing values"),
        (lambda: balanced(rate=10), "rate = 10 has no unit", "expected"),
        (lambda: microcircuit(scale=0), "scale = 0", "one number above 0, at most 1"),
        (lambda: microcircuit(scale=1e-4), "scale = 0.0001", "at least 0.0005"),
        (lambda: microcircuit(in_degree_scale=-1), "in_degree_scale = -1", "one number above 0"),
        (lambda: feedforward([3], noise=NOISE), "sizes = [3]", "a list of at least two"),
        (lambda: feedforward([3, 2], noise=0.4), "noise = 0.4", "a noise model"),
        (lambda: feedforward([3, 2], noise=Gaussian(0.4)), "noise = Gaussian", "EscapeNoise(Gaussian("),
        (lambda: feedforward([3, 2], noise=WhiteNoise(0.4)), "noise = WhiteNoise", "takes escape noise, e.g."),
        (lambda: recurrent(2, 3, 2, noise=WhiteNoise(0.4)), "noise = WhiteNoise", "takes escape noise, e.g."),
        (lambda: convolutional((1, 4, 4), [2], noise=[WhiteNoise(0.4)]), "noise = WhiteNoise", "takes escape noise, e.g."),
        (lambda: feedforward([3, 2], noise=NOISE, neuron=Odd()), "weights", "no default for a Odd"),
        (lambda: feedforward([3, 2], noise=NOISE, weights=[]), "weights has 0 entries", "a list of 1 arrays, input->layer1"),
        (lambda: feedforward([3, 2], noise=NOISE, weights=[np.ones((2, 3))]), "'input->layer1' has shape (2, 3)", "expected"),
        (lambda: feedforward([3, 2], noise=NOISE, near_threshold=3), "near_threshold = 3", "expected"),
        (lambda: feedforward([3, 2], noise=NOISE, weights=[1], near_threshold=True), "near_threshold = True", "weights"),
        (lambda: recurrent(3, 2, 1, noise=NOISE, weights=[1, 2]), "weights has 2", "input->hidden, hidden->hidden, hidden->output"),
        (lambda: recurrent(3, [], 1, noise=NOISE), "n_hidden = []", "a whole number, or a list"),
        (lambda: convolutional(image, [], noise=NOISE), "layers = []", "a list of Convolution"),
        (lambda: convolutional((8, 8), [3], noise=NOISE), "image = (8, 8)", "(channels, height, width)"),
        (lambda: convolutional(None, [3], noise=NOISE), "image = None", "expected"),
        (lambda: convolutional(image, ["conv"], noise=NOISE), "layers[0] = 'conv'", "expected Convolution"),
        (lambda: convolutional(image, [4, Convolution(2, 3)], noise=NOISE), "layer2 = Convolution", "it follows a dense layer"),
        (lambda: convolutional(image, [4, Residual(2)], noise=NOISE), "layer2_inner = Convolution", "it follows a dense layer"),
        (lambda: convolutional(image, [Convolution(2, 3, image=(2, 8, 8))], noise=NOISE), "image = (2, 8, 8)", "or (1, 8, 8)"),
        (lambda: convolutional(image, [4, 3], noise=[NOISE]), "noise has 1 entries", "one for all layers, or 2"),
        (lambda: Residual(8, 2), "kernel = 2", "an odd whole number"),
    ]  # fmt: skip
    assert_refused(rows)
    assert feedforward([2, 3], noise=WhiteNoise(0.4), neuron=PLAIN).populations[1].noise is not None


EIF = nsnn.EIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-68 * mV, v_thresh=-60 * mV, delta_T=3.5 * mV, v_spike=-30 * mV, tau_refrac=2 * ms
)  # fmt: skip
PIF = nsnn.PIF(tau_m=10 * ms, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
QIF = nsnn.QIF(
    tau_m=10 * ms, v_rest=-65 * mV, v_reset=-75 * mV, v_thresh=-55 * mV, v_spike=-10 * mV, tau_refrac=2 * ms
)
LENGTH = neo.AnalogSignal([1.0], units="mm", sampling_rate=1 * pq.Hz)
CURRENT = neo.AnalogSignal([0.1, 0.3], units="nA", sampling_period=1 * pq.ms)
BOTH = TsodyksMarkram(U=0.3, tau_rec=200 * ms, tau_facil=150 * ms)


def changed(cell, **parameters):
    return dataclasses.replace(cell, **parameters)


def recorded(values, unit="V", period=1.0):
    return nsnn.Recorded(neo.AnalogSignal(values, units=unit, sampling_period=period * pq.ms))


def efficacy(rate=5, U=0.2, tau_rec=0.1, tau_facil=0.0, **options):
    return theory.short_term_efficacy(rate, U, tau_rec=tau_rec, tau_facil=tau_facil, **options)


def declared(unit, **options):
    return nsnn.parameter(unit, **options)


def test_neurons_noise_stimuli_and_synapses_refuse_by_name_with_a_cure():
    rows = [
        (lambda: changed(EIF, v_spike=-61 * mV), "v_thresh = ", "below v_spike"),
        (lambda: changed(EIF, delta_T=0.05 * mV), "delta_T = ", "at least"),
        (lambda: changed(EIF, v_rest=0.0), "v_rest = 0.0, v_spike = ", "the same unit"),
        (lambda: changed(QIF, v_rest=-50 * mV), "v_rest = ", "below v_thresh"),
        (lambda: changed(EIF, v_thresh=[] * mV), "v_thresh has shape", "expected"),
        (lambda: changed(PIF, v_thresh=[1, 2] * mV, tau_m=[1, 2, 3] * ms), "tau_m has 3", "v_thresh has 2 values"),
        (lambda: changed(PIF, tau_m=0 * ms), "tau_m = ", "a positive value"),
        (lambda: changed(PIF, v_reset=12 * mV), "v_reset = ", "below v_thresh"),
        (lambda: WhiteNoise(1 * ms), "sigma of ", "expected a voltage"),
        (lambda: WhiteNoise(1 * mV, shared=1.5), "shared = 1.5", "expected"),
        (lambda: nsnn.OUNoise(1 * mV, 5), "tau_noise = 5 has no unit", "a time"),
        (lambda: nsnn.OUNoise(80 * pq.pA, 5 * ms), "sigma of OUNoise = 80", "not of the current"),
        (lambda: Gaussian(0.0), "sigma = 0.0", "SurrogateGradient("),
        (lambda: Gaussian(float("nan")), "sigma = nan", "NaN"),
        (lambda: EscapeNoise(0.4), "family = 0.4", "expected"),
        (lambda: declared("mV"), "unit = 'mV'", "for values in any unit of that kind"),
        (lambda: declared("volt"), "unit = 'volt'", "expected one of 'V'"),
        (lambda: declared("ohm"), "unit = 'ohm'", "models count currents as voltages"),
        (lambda: nsnn.parameter("V", 3 * mV), "unit = 3. mV", "parameter('V', default=3*mV)"),
        (lambda: nsnn.parameter(), "unit = ''", "expected one of 'V', '1'"),
        (lambda: declared("V", bound=">0"), "bound = '>0'", "'positive', 'non-negative', 'fraction', 'any'"),
        (lambda: nsnn.Filtered(CURRENT, gain=50 * Mohm, offset=2.0), "offset = 2.0", "a voltage"),
        (lambda: nsnn.Filtered(LENGTH, gain=50 * Mohm), "gain = 50. Mohm and a signal in mm", "unit of current"),
        (lambda: nsnn.Recorded(CURRENT), "signal has unit nA", "Filtered(signal, gain=100*Mohm)"),
        (lambda: nsnn.Step(1 * mV, 5 * ms, 5 * ms), "t_on = ", "expected"),
        (lambda: nsnn.Sinusoid(1 * mV, 2.0, 10 * Hz), "amplitude = 2.0", "the same unit"),
        (lambda: nsnn.Sinusoid(1 * mV, 2 * mV, 10 * ms), "frequency = 10. ms", "expected a frequency"),
        (lambda: nsnn.FrozenNoise(1 * mV, [2, 3] * mV, 10 * ms, seed=1), "sigma = ", "one number"),
        (lambda: nsnn.FrozenNoise(1 * mV, 2 * mV, 10 * ms, seed="x"), "seed = 'x'", "expected"),
        (lambda: nsnn.Recorded([1, 2, 3]), "signal = [1, 2, 3]", "a neo.AnalogSignal"),
        (lambda: recorded([1.0] * 9, period=0.3).samples(2, 1e-3), "signal", "whole multiple"),
        (lambda: recorded([1.0] * 9).samples(20, 1e-3), "signal lasts 0.009 s", "until the end of the run, 0.02 s"),
        (lambda: ExponentialSynapse(0 * ms), "tau_syn = 0. s", "a positive value"),
        (lambda: TsodyksMarkram(0, 100 * ms), "U = 0", "a positive value"),
        (lambda: TsodyksMarkram(1.5, 100 * ms), "U = 1.5", "a number above 0, at most 1"),
        (lambda: BOTH.efficacies([3, 1] * ms), "times = ", "the times of spikes in their order"),
        (lambda: BOTH.efficacies([1, 2]), "times = ", "has no unit"),
        (lambda: efficacy(rate=0), "rate = 0", "a rate above 0"),
        (lambda: efficacy(U=2), "U = 2", "a number above 0"),
        (lambda: efficacy(tau_rec=-0.1), "tau_rec = -0.1", "times of 0 or more"),
        (lambda: efficacy(train="gamma"), "train = 'gamma'", "expected"),
        (lambda: efficacy(train="periodic", dt=1e-3), "dt = 0.001", "expected None"),
        (lambda: efficacy(dt=-1e-3), "dt = -0.001", "a time of 0 or more"),
        (lambda: project(CELLS, CELLS, weight=1 * mV, short_term=0.5), "short_term = 0.5", "such as TsodyksMarkram"),
        (lambda: project(CELLS, CELLS, weight=1 * mV, release=0.5, short_term=BOTH), "release = 0.5 with short_term", "expected 1"),
        (lambda: project(post=CELLS, weight=1 * mV, short_term=BOTH), "short_term", "a Relay sends a value in each step"),
        (lambda: project(pre=UNITS, plasticity=NDL(0.1), short_term=BOTH), "plasticity with short_term", "one of them"),
    ]  # fmt: skip
    assert_refused(rows)


PAIRS = {"A_plus": 1, "A_minus": 1, "tau_plus": 1 * ms, "tau_minus": 1 * ms}
STEP = {"noise": Gaussian(0.4), "beta": 0.5, "theta": 1.0}
DIFFUSIVE = {
    "noise": WhiteNoise(3 * mV),
    "tau_m": 20 * ms,
    "v_thresh": 20 * mV,
    "mu": 10 * mV,
    "membrane": "v",
}


def plastic(rule=NDL(0.1), how=STEP, **options):  # noqa: B008
    equations = "u : 1\no : 1\nL : 1\nx : volt"
    target = NeuronGroup(3, equations, threshold="u > 1", reset="o = 1", namespace={}, dt=1 * ms)
    return nsnn.plastic_synapses(rule, PoissonGroup(2, 10 * Hz, dt=1 * ms), target, **how | options)


def diffusive(rule=NDL(0.1), **options):  # noqa: B008
    source = SpikeGeneratorGroup(1, [0], [0] * ms, dt=1 * ms)
    equations = "dv/dt = -v / tau : volt (unless refractory)\nloose : volt\nL : 1"
    names = {"tau": 20 * ms, "mV": mV}
    how = {
        "threshold": "v > 20*mV",
        "refractory": 2 * ms,
        "method": "euler",
        "namespace": names,
        "dt": 1 * ms,
    }
    return nsnn.plastic_synapses(rule, source, NeuronGroup(2, equations, **how), **DIFFUSIVE | options)


class Forgetting(nsnn.Plasticity):
    def text(self):
        return nsnn.RuleText(each_step=("w += 0.1 * L",))


def test_learning_rules_refuse_by_name_with_a_cure():
    eprop = EProp(0.1)
    hazard = EscapeNoise(hazard=nsnn.ExponentialHazard(50 * Hz, 0.1))
    rows = [
        (lambda: NDL(-0.1), "eta = -0.1", "expected"),
        (lambda: NDL([0.1, 0.2]), "eta = [0.1, 0.2]", "one number"),
        (lambda: NDL(0.1, signal="bptt"), "signal = 'bptt'", "expected one of 'transport', "),
        (lambda: NDL(0.1, reset_path="none"), "reset_path = 'none'", "expected"),
        (lambda: NDL(0.1, optimizer=0.9), "optimizer = 0.9", "an optimizer"),
        (lambda: nsnn.Adam(beta_2=1.0), "beta_2 = 1.0", "a value below 1"),
        (lambda: SurrogateGradient(0.4, 0.1), "family = 0.4", "expected"),
        (lambda: SurrogateGradient(Gaussian(0.4), 0.1, signal="reward"), "signal = 'reward'", "expected"),
        (lambda: EProp(0.1, signal="reward"), "signal = 'reward'", "expected"),
        (lambda: PairSTDP(**PAIRS | {"A_minus": 1 * mV}), "A_minus = 1. mV", "the same unit"),
        (lambda: nsnn.plastic_synapses(NDL(0.1), 3, 4), "source = 3", "a Brian2 group"),
        (lambda: plastic(learning_signal="M"), "learning_signal = 'M'", "(it has L, o, u, x)"),
        (lambda: plastic(membrane="x"), "membrane = 'x'", "has a dimension"),
        (lambda: plastic(graded="u"), "graded = 'u'", "has no such variable"),
        (lambda: plastic(feedback="L"), "feedback = 'L'", "has no such variable"),
        (lambda: plastic(NDL(0.1, signal="reward"), feedback="L"), "feedback = 'L'", "this NDL has no feedback signal"),
        (lambda: plastic(noise=None), "noise = None", "use a surrogate gradient"),
        (lambda: plastic(noise=hazard), "noise = ", "a hazard has no density"),
        (lambda: plastic(noise=WhiteNoise(0.1)), "beta = 0.5", "NDL takes no beta"),
        (lambda: plastic(noise=Gaussian(2 * mV)), "noise = ", "a dimensionless membrane"),
        (lambda: plastic(noise=Gaussian([0.4, 0.5])), "noise_sigma has shape (2,)", "a number or"),
        (lambda: plastic(beta=None), "beta = None", "NDL needs the beta"),
        (lambda: plastic(theta=20 * mV), "theta = 20. mV", "expected"),
        (lambda: plastic(beta=1.5), "beta = 1.5", "a value from 0 to 1"),
        (lambda: plastic(eprop, noise=None, theta=0.0), "theta = 0.0", "e-prop"),
        (lambda: plastic(reset="soft"), "reset = 'soft'", "expected"),
        (lambda: plastic(eprop, noise=None, reset="hard"), "reset = 'hard'", "expected one of 'subtract'"),
        (lambda: plastic(trial=1.5 * ms), "trial = 1.5 ms", "a multiple"),
        (lambda: plastic(trial=20), "trial = 20 has no unit", "expected"),
        (lambda: plastic(bounds=3), "bounds = 3", "two values"),
        (lambda: plastic(bounds=(1, 0)), "bounds = (1, 0)", "low <= high"),
        (lambda: plastic(SurrogateGradient(Gaussian(0.4), 0.1)), "noise = ", "a surrogate is for a neuron without noise"),
        (lambda: plastic(eprop), "noise = ", "e-prop is for a neuron without noise"),
        (lambda: plastic(Forgetting()), "noise = ", "Forgetting takes no noise"),
        (lambda: plastic(PairSTDP(**PAIRS), {}, learning_signal="L"), "learning_signal = 'L'", "has none"),
        (lambda: diffusive(noise=nsnn.OUNoise(3 * mV, 5 * ms)), "noise = ", "deterministic given the state of coloured noise"),
        (lambda: diffusive(noise=WhiteNoise(0 * mV)), "sigma = 0. V", "without noise"),
        (lambda: diffusive(noise=WhiteNoise(0.3)), "v_thresh = 20. mV", "a plain number"),
        (lambda: diffusive(tau_m=None), "tau_m = None", "NDL of a diffusive membrane needs this parameter, a time"),
        (lambda: diffusive(tau_m=0 * ms), "tau_m = 0. s", "a positive"),
        (lambda: diffusive(mu="drive"), "mu = 'drive'", "has no such variable"),
        (lambda: diffusive(method="heun"), "method = 'heun'", "expected one of 'euler', 'exact'"),
        (lambda: diffusive(NDL(0.1, signal="reward")), 'signal = "reward"', "a diffusive membrane"),
        (lambda: diffusive(membrane="loose"), "target = ", "expected loose with the flag"),
    ]  # fmt: skip
    assert_refused(rows)
