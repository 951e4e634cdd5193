"""`PoissonInput`: the law of its membrane, the jumps of `PoissonNoise`, sources in its place, sweeps, files, engines, refusals."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import numpy as np
import pytest
from brian2 import Hz, kHz, ms, mV, nS, second
from scipy import stats
from scipy.integrate import quad
from scipy.special import exp1

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, PoissonInput, theory
from nsnn_neuro.cli import config

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=-65 * mV, v_reset=-65 * mV, v_thresh=-50 * mV, tau_refrac=2 * ms)
DEAF = dataclasses.replace(CELL, v_thresh=500 * mV)  # never fires
DELTA, SLOW = nsnn.DeltaSynapse(), nsnn.ExponentialSynapse(5 * ms)
AMPA, GABA = nsnn.ConductanceSynapse(2 * ms, 0 * mV), nsnn.ConductanceSynapse(5 * ms, -80 * mV)
EXCITED, INHIBITED = (
    PoissonInput(5 * Hz, 0.03, synapse=AMPA, n=1600),
    PoissonInput(8 * Hz, 0.05, synapse=GABA, n=200),
)
MIXED = (
    EXCITED
    + PoissonInput(100 * Hz, 1 * mV, synapse=nsnn.AlphaSynapse(5 * ms))
    + PoissonInput(1 * kHz, -0.1 * mV, synapse=DELTA)
)
STRONG = PoissonInput(50 * Hz, 0.3, synapse=nsnn.ConductanceSynapse(5 * ms, 0 * mV), n=4)


@dataclasses.dataclass(frozen=True, eq=False)
class TwoExponentials(nsnn.Synapse):
    """A synapse of the user's own, whose increments are not the weight."""

    tau_rise: Any = nsnn.parameter("s", bound="positive")
    tau_decay: Any = nsnn.parameter("s", bound="positive")
    states: ClassVar[dict[str, str]] = {"x": "-x / tau_decay", "y": "-y / tau_rise"}
    on_arrival: ClassVar[dict[str, str]] = {"x": "2 * weight", "y": "2 * weight"}
    current: ClassVar[str | None] = "x - y"


def spikes(*parts: Any, **options: Any) -> list[list[float]]:
    block = nsnn.simulate(*parts, **options)
    return [train.magnitude.tolist() for segment in block.segments for train in segment.spiketrains]


def potentials(noise: PoissonInput, cell: Any = DEAF, dt: float = 0.1, **more: Any) -> np.ndarray:
    """The membranes of 4,000 neurons after 180 ms, in V."""
    options = {"n_neurons": 4000, "duration": 180 * ms, "dt": dt * ms, "seed": 3, "engine": "numpy"} | more
    return np.asarray(
        nsnn.simulate(cell, noise, return_state=True, **options)[1].values("v").magnitude
    ).ravel()


def assert_moments(v: np.ndarray, mean: float, sd: float) -> None:
    """Mean and SD of a sample within four standard errors."""
    assert abs(v.mean() - mean) / (v.std() / np.sqrt(v.size)) < 4
    assert abs(v.std() - sd) / (sd * np.sqrt((stats.kurtosis(v) + 2) / (4 * v.size))) < 4


# the mean that the input adds to the membrane and its SD, in mV, by hand: n rate w area, and the integral of the squared response
CAMPBELL = {
    "delta": (PoissonInput(100 * Hz, 0.5 * mV, synapse=DELTA, n=10), 10.0, np.sqrt(2.5)),
    "exponential": (PoissonInput(100 * Hz, 2 * mV, synapse=SLOW, n=10), 10.0, np.sqrt(2.0)),
    "alpha": (PoissonInput(100 * Hz, 2 * mV, synapse=nsnn.AlphaSynapse(5 * ms), n=10), 10 * np.e, None),
    "own": (PoissonInput(100 * Hz, 1 * mV, synapse=TwoExponentials(2 * ms, 5 * ms), n=10), 6.0, None),
    "two currents": (
        PoissonInput(100 * Hz, 2 * mV, synapse=SLOW, n=10) + PoissonInput(100 * Hz, -2 * mV, synapse=SLOW, n=5), 5.0, np.sqrt(3.0)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CAMPBELL)
def test_jumps_and_currents_have_campbells_moments(name: str) -> None:
    """Also in coarse steps of 0.4 ms."""
    noise, shift, sd = CAMPBELL[name]
    exact = theory.shot_noise_moments(noise, -65 * mV, tau_m=20 * ms)
    assert exact[0] == pytest.approx(-65e-3 + 1e-3 * shift, rel=1e-12)
    assert sd is None or exact[1] == pytest.approx(1e-3 * sd, rel=1e-12)
    assert_moments(potentials(noise, dt=0.4), *exact)


@pytest.mark.parametrize("noise", [EXCITED + INHIBITED, STRONG], ids=["weak, two", "strong"])
def test_conductances_have_the_moments_of_theory(noise: PoissonInput) -> None:
    assert_moments(potentials(noise, dt=0.2), *theory.shot_noise_moments(noise, -65 * mV, tau_m=20 * ms))


def test_moments_of_many_small_conductances_are_those_of_conductance_noise() -> None:
    """The same means and SD of the conductances: with a thousandth of the weights all moments differ by less than 1e-4."""
    many = [
        dataclasses.replace(one, n=1000 * one.n, weight=one.weight / 1000) for one in (EXCITED, INHIBITED)
    ]
    (g_e, sigma_e), (g_i, sigma_i) = (
        (m := one.n * one.si("rate") * one.si("weight") * one.synapse.si("tau_syn"), np.sqrt(m * one.si("weight") / 2))
        for one in many
    )  # fmt: skip
    given = {
        "g_e": g_e,
        "sigma_e": sigma_e,
        "tau_e": 2 * ms,
        "e_rev_e": 0 * mV,
        "g_i": g_i,
        "sigma_i": sigma_i,
    }
    limit = theory.conductance_moments(-65 * mV, **given, tau_i=5 * ms, e_rev_i=-80 * mV, tau_m=20 * ms)
    exact = theory.shot_noise_moments(many[0] + many[1], -65 * mV, tau_m=20 * ms)
    np.testing.assert_allclose(exact, limit, rtol=1e-4)


@pytest.mark.parametrize("one", [EXCITED, STRONG], ids=["weak", "strong"])
def test_the_mean_with_a_conductance_is_an_integral(one: PoissonInput) -> None:
    """E V = int E[(mu + g(-t) e_rev) exp(-int b)] dt / tau_m, by the functional of shot noise; Gaussian shots miss by 7e-6 V."""
    tau, t_syn, w, rate = 20e-3, one.synapse.si("tau_syn"), one.si("weight"), one.n * one.si("rate")

    def seen(t: float) -> float:
        """What a spike that is t before the end takes off the exponent."""
        return w * t_syn / tau * -np.expm1(-t / t_syn)

    def ein(x: float) -> float:
        return np.euler_gamma + np.log(x) + exp1(x)

    def inside(t: float) -> float:
        kappa = seen(t)
        after = quad(lambda u: -np.expm1(-seen(u)), 0, t)[0]
        before = t_syn * (ein(kappa) if kappa > 1e-9 else kappa)
        mean_g = rate * w * t_syn * (-np.expm1(-kappa) / kappa if kappa else 1.0)
        drive = -65e-3 + mean_g * one.synapse.si("e_rev")
        return drive * np.exp(-t / tau - rate * (after + before)) / tau

    exact = quad(inside, 0, 0.4, epsabs=1e-12, epsrel=1e-10, limit=200)[0]
    assert theory.shot_noise_moments(one, -65 * mV, tau_m=20 * ms)[0] == pytest.approx(exact, abs=1e-9)


@pytest.mark.slow
def test_jumps_beside_conductances_decay_with_the_load() -> None:
    """Jumps of 0.2 mV at 1 kHz beside a steady conductance of 3: tau_m / 4 times 0.2 V/s, also in steps of 1 ms."""
    steady = PoissonInput(200 * kHz, 1.5e-4, synapse=nsnn.ConductanceSynapse(100 * ms, -65 * mV))
    v = potentials(steady + PoissonInput(1 * kHz, 0.2 * mV, synapse=DELTA), dt=1, duration=800 * ms)
    assert abs(v.mean() + 64e-3) < 4 * v.std() / np.sqrt(v.size) < 3e-5


def test_delta_synapses_are_poisson_noise_spike_for_spike() -> None:
    up, down = (
        PoissonInput(5 * Hz, 0.5 * mV, synapse=DELTA, n=400),
        PoissonInput(6 * Hz, -0.5 * mV, synapse=DELTA, n=100),
    )
    drive, same = nsnn.Constant(11 * mV), {"n_neurons": 4, "duration": 200 * ms, "seed": 2, "engine": "numpy"}
    noise = nsnn.PoissonNoise(2 * kHz, 0.5 * mV, rate_inh=600 * Hz, weight_inh=-0.5 * mV)
    trains = spikes(CELL, up + down, drive, **same)
    assert trains == spikes(CELL, noise, drive, **same)
    assert sum(map(len, trains)) > 20
    assert spikes(CELL, up, drive, bridge=False, **same) == spikes(
        CELL, nsnn.PoissonNoise(2 * kHz, 0.5 * mV), drive, bridge=False, **same
    )


@pytest.mark.slow
def test_source_neurons_in_its_place_give_the_same_law() -> None:
    """40 sources of 50 Hz on conductances: rates and membranes of 300 neurons with private sources, two samples, |z| < 4."""
    n, sources = 300, 40
    one = PoissonInput(50 * Hz, 0.1, synapse=nsnn.ConductanceSynapse(2 * ms, 0 * mV), n=sources)
    drive = nsnn.Constant(9 * mV)
    pre = nsnn.Population(n * sources, nsnn.PoissonSource(50 * Hz), name="sources")
    post = nsnn.Population(n, CELL, stimulus=drive, name="cells")
    rule = nsnn.FromList(np.arange(n * sources), np.repeat(np.arange(n), sources))
    net = nsnn.Network([pre, post], [nsnn.Projection(pre, post, rule=rule, weight=0.1, synapse=one.synapse)])
    run = {"duration": 100 * ms, "seed": 5, "engine": "numpy", "return_state": True}
    direct, from_sources = nsnn.simulate(CELL, one, drive, n_neurons=n, **run), nsnn.simulate(net, **run)
    counts = [
        np.array([len(t) for t in block.segments[0].spiketrains[-n:]]) for block, _ in (direct, from_sources)
    ]
    v = [direct[1].values("v").magnitude[0], from_sources[1].values("v", "cells").magnitude[0]]
    for a, b in (counts, v):
        assert abs(a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / n) < 4
    assert stats.ks_2samp(*v).pvalue > 1e-4
    assert counts[0].mean() > 0.5


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("engine", ["cython", "cpp", "torch"])
def test_spikes_are_the_same_on_every_engine_and_in_any_company(engine: str) -> None:
    if engine == "torch":
        pytest.importorskip("torch")
    run = {"duration": 40 * ms, "seed": 1}
    trains = spikes(CELL, MIXED, nsnn.Constant(9 * mV), n_neurons=2100, engine=engine, **run)
    assert trains == spikes(CELL, MIXED, nsnn.Constant(9 * mV), n_neurons=2100, engine="numpy", **run)
    assert trains[:3] == spikes(CELL, MIXED, nsnn.Constant(9 * mV), n_neurons=3, engine="numpy", **run)
    assert sum(map(len, trains[:3])) > 0


def test_the_current_goes_on_in_the_refractory_time_and_inputs_are_independent() -> None:
    """A refractory time of 50 ms does not change a membrane's law at its end beyond that time; equal inputs are two samples."""
    both = PoissonInput(1 * kHz, 1 * mV, synapse=SLOW) + PoissonInput(1 * kHz, -1 * mV, synapse=SLOW)
    assert potentials(both, dt=0.4).std() == pytest.approx(
        theory.shot_noise_moments(both, 0 * mV, tau_m=20 * ms)[1], rel=0.05
    )
    long = dataclasses.replace(CELL, tau_refrac=50 * ms, v_reset=-60 * mV)
    noise = PoissonInput(
        1 * kHz, 10 * mV, synapse=nsnn.ExponentialSynapse(20 * ms)
    )  # 200 mV: fires soon after its release
    gaps = np.concatenate(
        [
            np.diff(t)
            for t in spikes(long, noise, n_neurons=20, duration=500 * ms, seed=1, engine="numpy")
            if t
        ]
    )
    assert gaps.max() < 0.0525


def test_parameters_of_each_neuron_in_sweeps_networks_and_files() -> None:
    """Names in sweeps reach all parameters, and a point of a sweep has the spikes of `simulate`."""
    run = {"trials": 2, "duration": 80 * ms, "seed": 1, "engine": "numpy"}
    grid = {
        "noise.synapse.tau_syn": [2 * ms, 3 * ms],
        "noise.plus.rate": [8 * Hz, 40 * Hz],
        "noise.n": [1600, 2000],
    }
    table = nsnn.sweep(CELL, grid, noise=EXCITED + INHIBITED, measures=[nsnn.measures.firing_rate], **run)
    last = dataclasses.replace(
        EXCITED, n=2000, synapse=nsnn.ConductanceSynapse(3 * ms, 0 * mV)
    ) + dataclasses.replace(INHIBITED, rate=40 * Hz)
    trains = spikes(CELL, last, point=7, **run)
    assert table.value.iloc[-1] == pytest.approx(sum(map(len, trains)) / 2 / 0.08)
    assert table.value.nunique() > 3
    # a point without spikes of the first input keeps the numbers of the second
    rates = {"noise.rate": [0 * Hz, 5 * Hz]}
    both = INHIBITED + EXCITED
    table = nsnn.sweep(CELL, rates, noise=both, measures=[nsnn.measures.firing_rate], **run | {"trials": 20})
    trains = spikes(CELL, dataclasses.replace(both, rate=0 * Hz), **run | {"trials": 20})
    assert table.value.iloc[0] > 0
    assert table.value.iloc[0] == pytest.approx(sum(map(len, trains)) / 20 / 0.08)
    each = PoissonInput([0, 900] * Hz, [0.1, 0.1], synapse=nsnn.ConductanceSynapse([2, 4] * ms, 0 * mV))
    net = nsnn.Network([nsnn.Population(2, CELL, noise=each, stimulus=nsnn.Constant(8 * mV), name="cells")])
    silent, active = spikes(net, **run | {"trials": 1})
    assert not silent
    assert active


FILE = """
[model]
type = "LIF"
tau_m = "20 ms"
v_rest = "-65 mV"
v_reset = "-65 mV"
v_thresh = "-50 mV"
tau_refrac = "2 ms"
[noise]
type = "PoissonInput"
rate = "5 Hz"
n = 1600
weight = 0.03
synapse = {type = "ConductanceSynapse", tau_syn = "2 ms", e_rev = "0 mV"}
[noise.plus]
type = "PoissonInput"
rate = "1 kHz"
weight = "-0.1 mV"
synapse = {type = "DeltaSynapse"}
[run]
duration = "60 ms"
seed = 1
"""


def test_a_file_gives_the_same_spikes() -> None:
    read = config.parse(FILE)
    noise = EXCITED + PoissonInput(1 * kHz, -0.1 * mV, synapse=DELTA)
    assert read.noise is not None
    assert read.noise.describe() == noise.describe()
    options = {"trials": 2, "engine": "numpy"}
    assert spikes(read.model, read.noise, **read.run | options) == spikes(
        CELL, noise, duration=60 * ms, seed=1, **options
    )


def with_free(**more: Any) -> Any:
    block = nsnn.simulate(CELL, EXCITED, duration=50 * ms, seed=1, engine="numpy")
    return nsnn.calibrate(CELL, {"noise.rate": (1 * Hz, 50 * Hz)}, noise=EXCITED, trains=block, **more)


REFUSALS = [
    (lambda: PoissonInput(5 * Hz, -0.1, synapse=AMPA), "weight = -0.1", "e_rev"),
    (lambda: PoissonInput(5 * Hz, 1 * mV, synapse=AMPA), "weight = 1. mV", "plain number"),
    (lambda: PoissonInput(5 * Hz, 10 * nS, synapse=AMPA), "weight = 10. nS", "divide it by the leak"),
    (lambda: PoissonInput(5 * Hz, 1 * mV, synapse="jump"), "synapse = 'jump'", "ExponentialSynapse"),
    (lambda: PoissonInput(5 * Hz, 1 * mV, synapse=DELTA, n=0.1), "n = 0.1", "whole number"),
    (lambda: PoissonInput(5 * Hz, 1 * mV, synapse=DELTA, plus=3), "plus = 3", "PoissonInput"),
    (lambda: EXCITED + nsnn.WhiteNoise(1 * mV), r"PoissonInput\(...\) \+ WhiteNoise", "expected a PoissonInput"),
    (lambda: spikes(CELL, [EXCITED, INHIBITED], duration=1 * ms), "noise is a list", r"input_1 \+ input_2"),
    (lambda: spikes(CELL, PoissonInput(5 * Hz, 0.1, synapse=DELTA), duration=1 * ms), "weight = 0.1", "voltage"),
    (lambda: spikes(CELL, EXCITED + PoissonInput(1 * Hz, 1.0, synapse=SLOW), duration=1 * ms), "weight = 1", "voltage"),
    (
        lambda: spikes(CELL, PoissonInput(1 * Hz, 1.0, synapse=nsnn.ConductanceSynapse(5 * ms, 1.0)), duration=1 * ms),
        "e_rev = 1", "voltage",
    ),
    (
        lambda: spikes(CELL, sum([PoissonInput(1 * Hz, 1 * mV, synapse=DELTA)] * 3, EXCITED), duration=1 * ms),
        "3 inputs through a DeltaSynapse", "at most two",
    ),
    (lambda: spikes(CELL, sum([EXCITED] * 100, EXCITED), duration=1 * ms), "101 inputs", "at most 100"),
    (lambda: spikes(CELL, PoissonInput(9 * kHz, 0.1, synapse=AMPA, n=10**4), duration=1 * ms), "of n = 10000", "at most 500"),
    (lambda: with_free(), "noise = PoissonInput", 'method="simulation"'),
    (lambda: theory.shot_noise_moments(MIXED, 0 * mV, tau_m=20 * ms), "currents or jumps beside conductances", "simulate"),
    (lambda: theory.shot_noise_moments(EXCITED, 0.5, tau_m=20 * ms), "mu = 0.5", "voltage"),
    (
        lambda: theory.shot_noise_moments(PoissonInput([1, 2] * Hz, 1 * mV, synapse=SLOW), 0 * mV, tau_m=20 * ms),
        "rate = ", "not an array",
    ),
    (lambda: theory.shot_noise_moments(nsnn.WhiteNoise(1 * mV), 0 * mV, tau_m=20 * ms), "noise = WhiteNoise", "PoissonInput"),
    (
        lambda: theory.shot_noise_moments(PoissonInput(20 * Hz, 1.0, synapse=GABA), 0 * mV, tau_m=20 * ms),
        "no convergence", "smaller",
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSALS, ids=lambda case: case[1])
def test_what_is_refused_names_argument_and_cure(case: Any) -> None:
    call, *words = case
    for word in words:
        with pytest.raises(NsnnError, match=word):
            call()


@pytest.mark.slow
@pytest.mark.compile
def test_calibration_by_simulation_recovers_the_rate_of_an_input() -> None:
    """The rate of 800 sources through exponential currents, within 3 standard errors, which are below a tenth."""
    noise = PoissonInput(5 * Hz, 1 * mV, synapse=SLOW, n=800)
    block = nsnn.simulate(
        CELL, noise, nsnn.Constant(-7 * mV), trials=10, duration=1 * second, dt=0.2 * ms, seed=4
    )
    fit = nsnn.calibrate(
        CELL, {"noise.rate": (1 * Hz, 30 * Hz)}, noise=dataclasses.replace(noise, rate=12 * Hz),
        stimulus=nsnn.Constant(-7 * mV), trains=block, dt=0.2 * ms, method="simulation", n_simulations=60,
    )  # fmt: skip
    assert abs(fit.parameters["noise.rate"] - 5.0) < 3 * fit.se["noise.rate"] < 1.5
