"""Learning rules in anybody's Brian2 network: names, sources, slots, targets of code generation; and what is refused."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from brian2 import Hz, Network, NeuronGroup, PoissonGroup, SpikeGeneratorGroup, TimedArray, ms, mV, prefs
from helpers.learning import DT, trains

import nsnn_neuro as nsnn
from nsnn_neuro import (
    NDL,
    Adam,
    NsnnError,
    PairSTDP,
    RewardModulatedSTDP,
    RuleText,
    parameter,
    white_noise_factor,
)
from nsnn_neuro.brian import functions, run, running


def cells(n=3, equations="u : 1\no : 1\nL : 1", **more):
    return NeuronGroup(n, equations, threshold="u > 1", reset="o = 1", namespace={}, dt=DT, **more)


@dataclasses.dataclass(frozen=True, eq=False)
class Forgetting(nsnn.Plasticity):
    """Weights that decay, and grow with what arrives, in a neuron's own variable."""

    rate: object = parameter("1", bound="fraction")

    def text(self):
        return RuleText(
            each_step=("half = 0.5 * pre", "w += half * L - rate * w"),
            parameters={"rate": (self.si("rate"), "1")},
        )


def test_a_rule_of_ones_own():
    with running("numpy") as device:
        source = SpikeGeneratorGroup(2, [0, 1, 0], [0, 1, 2] * ms, dt=DT)
        target = cells(1, "u : 1\no : 1\ngain : 1")
        target.gain = 2
        s = nsnn.plastic_synapses(Forgetting(0.1), source, target, learning_signal="gain")
        s.connect()
        s.w = [0.3, 0.4]
        run(Network(source, target, s), 3e-3, device, False)
        first = ((0.3 * 0.9 + 1) * 0.9) * 0.9 + 1
        second_ = ((0.4 * 0.9) * 0.9 + 1) * 0.9
        np.testing.assert_allclose(s.w[:], [first, second_], rtol=1e-13)
        # what the spikes brought to the membrane: the weights of then
        brought = 0.3 + 0.4 * 0.9 + (0.3 * 0.9 + 1) * 0.9
        assert target.u[0] == pytest.approx(brought, rel=1e-13)


@pytest.mark.slow
def test_names_inside_a_rule_do_not_touch_the_networks():
    """A target with variables called as the rule's own, and a clock and parts that are the target's; no Python in the loop."""
    names = ("f", "p", "due", "mean", "power", "pre", "beta", "theta", "eta", "x", "sigma")
    with running("numpy") as device:
        source = SpikeGeneratorGroup(3, [0, 1, 2], [0, 1, 1] * ms, dt=DT)
        target = cells(6, "\n".join(f"{n} : 1" for n in ("u", "o", "L", *names)))
        for name in (*names, "L"):
            setattr(target, name, 7)
        learned = []
        for rule, part in ((NDL(0.1, optimizer=Adam()), target[:3]), (NDL(0.1, signal="reward"), target[3:])):
            for trial in (None, 2 * ms):
                s = nsnn.plastic_synapses(
                    rule, source, part, noise=nsnn.Gaussian(0.4), beta=0.5, theta=1.0, trial=trial
                )
                s.connect("i == j")
                learned.append(s)
        net = Network(source, target, learned)
        assert not [o for o in net.sorted_objects if type(o).__name__ == "NetworkOperation"]
        run(net, 4e-3, device, False)
        assert all(np.all(s.w[:] != 0) for s in learned)
        for name in names:
            np.testing.assert_array_equal(getattr(target, name)[:], 7)


@pytest.mark.slow
def test_a_target_with_a_variable_of_the_synapses_name():
    target = cells(equations="u : 1\no : 1\nL : 1\nw : 1\ntrace : 1")
    source = PoissonGroup(2, 10 * Hz, dt=DT)
    how = {"noise": nsnn.Gaussian(0.4), "beta": 0.5, "theta": 1.0}
    with pytest.raises(NsnnError, match=r"has a variable 'w'.*give weight=... another name"):
        nsnn.plastic_synapses(NDL(0.1), source, target, **how)
    with pytest.raises(NsnnError, match=r"has a variable 'trace'.*rename it"):
        nsnn.plastic_synapses(NDL(0.1), source, target, **how, weight="strength")
    rule = PairSTDP(A_plus=0.3, A_minus=0.2, tau_plus=17 * ms, tau_minus=34 * ms)
    with running("numpy") as device:
        source = SpikeGeneratorGroup(1, [0, 0], [0, 20] * ms, dt=DT)
        target = NeuronGroup(2, "v : 1\nw : 1", threshold="True", reset="", namespace={}, dt=DT)
        target.w = 7
        s = nsnn.plastic_synapses(rule, source, target, membrane="v", weight="strength", bounds=(0, 0.4))
        s.connect()
        run(Network(source, target, s), 0.03, device, False)
        np.testing.assert_array_equal(target.w[:], 7)
        assert np.all((s.strength[:] > 0) & (s.strength[:] <= 0.4))
        assert np.all(target.v[:] > 0)


@pytest.mark.slow
def test_the_pages_cells_learn():
    """docs/ndl.md: spikes of the cell that belongs to what is shown, in the first 60 ms and in the last 300 ms."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "ndl.md").read_text(encoding="utf-8")
    code, *_ = re.findall(r"^```python\n(.*?)^```", page, re.M | re.S)
    state, names = np.random.get_state(), {}  # noqa: NPY002
    try:
        with running("numpy"):
            exec(code, names)
            spikes = names["spikes"]
            cell, step = np.asarray(spikes.i), np.rint(np.asarray(spikes.t) / 1e-3).astype(int)
            weights = np.array(names["synapses"].w[:]).reshape(12, 3)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    right = cell == step // 20 % 3
    assert right[step < 60].mean() < 0.6
    assert right[step >= 2700].mean() > 0.8
    own = np.arange(12) // 4 == np.arange(3)[:, None]
    assert weights.T[own].min() > weights.T[~own].max()


def all_rules(target):
    """What rules make of the same spikes in 60 steps, and the white-noise factor, in one model with membranes in volts."""
    steps, rng = 60, np.random.default_rng(7)
    pre, post = trains(4, steps, 1), trains(3, steps, 2)
    pairs = {"A_plus": 0.3, "A_minus": 0.2, "tau_plus": 17 * ms, "tau_minus": 34 * ms}
    step = {"beta": 0.5, "theta": 1.0, "on_pre": "u_post += 0.1"}
    rules = [
        (NDL(0.1, optimizer=Adam()), step | {"noise": nsnn.Gaussian([0.3, 0.4, 0.6]), "trial": 20 * ms}),
        (NDL(0.1, signal="reward"), step | {"noise": nsnn.Cauchy(0.4), "bounds": (-0.5, 0.5)}),
        (RewardModulatedSTDP(**pairs, tau_e=30 * ms, eta=0.1), {}),
    ]
    values = {"fires": TimedArray(post, dt=DT), "told": TimedArray(rng.normal(0, 1, (steps, 3)), dt=DT)}
    values |= functions() | {"s": 0.1 * mV, "v_thresh": 1 * mV, "ms": ms, "mV": mV}
    with running(target) as device:
        source = SpikeGeneratorGroup(4, np.nonzero(pre)[1], np.nonzero(pre)[0] * ms, dt=DT)
        equations = "u : 1\no : 1\nL = told(t, i) : 1\nR = L : 1\nfactor : 1/volt"
        equations += "\nm = (0.2 + 0.1 * i + t / (60*ms)) * mV : volt\nx0 = t / (70*ms) * mV : volt"
        group = NeuronGroup(3, equations, threshold="fires(t, i) > 0", reset="o = 1", namespace=values, dt=DT)
        group.run_regularly("u = 0.5 * u * (1 - o)\no = 0", when="start")
        group.run_regularly(f"factor += {white_noise_factor()}", when="end")
        diffusive = NeuronGroup(
            3, "dv/dt = (18*mV - v) / (20*ms) : volt (unless refractory)\nL = told(t, i) : 1", threshold="v > 20*mV",
            reset="v = 10*mV", refractory=3 * ms, method="euler", namespace=values, dt=DT,
        )  # fmt: skip
        diffusive.v = [21, 19, 14] * mV
        learned = [nsnn.plastic_synapses(rule, source, group, **how) for rule, how in rules]
        noise = nsnn.WhiteNoise([3, 5, 7] * mV)
        how = {"membrane": "v", "tau_m": 20 * ms, "v_thresh": 20 * mV, "mu": 18 * mV, "bridge": True}
        rule = NDL(1e-5, optimizer=Adam())
        learned.append(nsnn.plastic_synapses(rule, source, diffusive, noise=noise, **how))
        for s in learned:
            s.connect()
            s.pre.when = "groups"
        run(Network(source, group, diffusive, learned), steps * 1e-3, device, False)
        factor, *weights = (np.array(v) for v in (group.factor[:], *(s.w[:] for s in learned)))
        return [factor, *weights[:-1], 1e3 * weights[-1]]  # mV


@pytest.mark.compile
@pytest.mark.slow
def test_rules_in_cpp_are_what_they_are_in_numpy():
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    try:  # 60 steps: compiling takes the time
        prefs.codegen.cpp.extra_compile_args_gcc = ["-w", "-O0", "-std=c++11"]
        compiled = all_rules("cpp")
    finally:
        prefs.codegen.cpp.extra_compile_args_gcc = flags
    for one, other in zip(all_rules("numpy"), compiled, strict=True):
        assert np.abs(one).min() > 1e-6
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-12)
