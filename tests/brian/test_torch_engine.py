"""The engine on PyTorch tensors: its random words are those of Philox, and its spikes those of the engine "numpy".

Projections: test_torch_layers.py.
"""
# Imports internals: words and single numbers are not visible in spikes, and no GPU takes part in these tests.

from __future__ import annotations

import importlib
import importlib.metadata
import math
from typing import Any

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, prefs
from helpers.with_torch import own_noise  # noqa: F401
from neo import AnalogSignal
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import philox
from nsnn_neuro.io.spikes import Trains

torch = pytest.importorskip("torch")

torch_noise: Any = importlib.import_module("nsnn_neuro.brian.torch_noise")
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2.33 * ms)
NOISE, DRIVE = nsnn.WhiteNoise(3 * mV), nsnn.Sinusoid(17 * mV, 5 * mV, 20 * Hz)
LARGEST = 2**32 - 1
ONE = {"v_rest": 0.0, "v_reset": 0.0, "v_thresh": 1.0, "tau_m": 10 * ms, "tau_refrac": 1.3 * ms}
EXPONENTIAL = {**ONE, "v_thresh": 0.5, "delta_T": 0.1, "v_spike": 2.0}
NEURONS = {
    "LIF": nsnn.LIF(**ONE),
    "PIF": nsnn.PIF(tau_m=10 * ms, tau_refrac=1.3 * ms, v_reset=0.0, v_thresh=1.0),
    "EIF": nsnn.EIF(**EXPONENTIAL),
    "AdEx": nsnn.AdEx(**EXPONENTIAL, tau_w=50 * ms, a=0.1, b=0.2),
    "QIF": nsnn.QIF(tau_m=10 * ms, v_rest=0.0, v_reset=-1.0, v_thresh=0.5, v_spike=5.0, tau_refrac=1 * ms),
    "GIF": nsnn.GIF(**ONE, tau_w=30 * ms, b=0.1, tau_thresh=20 * ms, b_thresh=0.2),
}
NOISES = {
    "none": None,
    "white": nsnn.WhiteNoise(0.4),
    "shared": nsnn.WhiteNoise(0.4, shared=0.3),
    "all shared": nsnn.WhiteNoise(0.4, shared=1.0),
    "OU": nsnn.OUNoise(0.4, 10 * ms),
    "short OU": nsnn.OUNoise(0.4, 0.7 * ms, shared=0.2),
    "multiplicative": nsnn.MultiplicativeNoise(0.3, -1.0, calculus="stratonovich"),
    "conductances": nsnn.ConductanceNoise(
        g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=4.0, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=-1.0
    ),
    "Poisson": nsnn.PoissonNoise(900 * Hz, 0.1, rate_inh=300 * Hz, weight_inh=-0.1),
}
AT_THRESHOLD = {
    "threshold": nsnn.ThresholdNoise(0.3),
    "logistic": nsnn.EscapeNoise(nsnn.Logistic(0.1)),
    "hazard": nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(50 * Hz, 0.1)),
    "Plesser and Gerstner": nsnn.EscapeNoise(hazard=nsnn.PlesserGerstner(0.2, tau_m=10 * ms)),
}
STEEP = nsnn.Sinusoid(1.1, 0.3, 20 * Hz)
CASES: list[Any] = [
    ("LIF", "white", True),
    ("GIF", "threshold", True),
    ("LIF", "Poisson", True),
    *(
        pytest.param(cell, noise, bridge, marks=pytest.mark.slow)
        for cell, noise, bridge in [
            ("LIF", "shared", False), ("LIF", "all shared", True), ("LIF", "short OU", True), ("LIF", "multiplicative", True),
            ("LIF", "Plesser and Gerstner", True), ("GIF", "short OU", False), ("GIF", "logistic", True), ("PIF", "OU", False),
            ("PIF", "Poisson", True), ("EIF", "none", True), ("EIF", "white", False), ("QIF", "multiplicative", False),
            ("AdEx", "conductances", True), ("LIF", "hazard", True),
        ]
    ),
]  # fmt: skip


def spikes(block: Any) -> list[list[float]]:
    trains = Trains.from_block(block)
    return [trains.trial.tolist(), trains.neuron.tolist(), trains.times.tolist()]


def both(*parts: Any, engine: str = "numpy", **options: Any) -> Any:
    """The Block of torch, after its spikes have been compared with those of another engine."""
    expected = nsnn.simulate(*parts, engine=engine, **options)
    block = nsnn.simulate(*parts, engine="torch", device="cpu", **options)
    assert spikes(block) == spikes(expected)
    assert len(spikes(block)[0]) > 3
    return block


# ------------------------------------------------------------------------------------------------------------- numbers


def test_words_are_those_of_philox() -> None:
    rng = np.random.default_rng(1)
    counters = rng.integers(0, 2**32, size=(4, 500), dtype=np.uint64)
    counters[:, :3] = np.array([0, 1, LARGEST], dtype=np.uint64)
    for key in ((0, 0), (-1, LARGEST), philox.key(7)):
        expected = [[int(w) for w in philox.philox4x32(*c, *(k % 2**32 for k in key))] for c in counters.T]
        words = torch_noise.philox4x32(*(torch.tensor(c.astype(np.int64)) for c in counters), *key)
        assert torch.stack(words, dim=1).tolist() == expected


def draws(dtype: Any = torch.float64, size: int = 8) -> Any:
    """The numbers of five members, with the largest numbers among theirs."""
    ids = [
        torch.tensor(one)
        for one in ([0, 1, -1, 2**31 - 1, 9], [0, 3, 0, 2**31 - 2, 5], [0, 0, 7, 2**24 - 1, 1])
    ]
    return torch_noise.Draws(*ids, *philox.key(3), dtype, size)


@pytest.mark.parametrize(("step", "shared"), [(0, False), (7, True), (2**31 - 2, False)])
def test_numbers_are_the_keyed_ones(step: int, shared: bool) -> None:
    table = draws()
    neuron = -1 if shared else table.neuron.numpy()
    where = step, neuron, table.trial.numpy(), table.point.numpy(), philox.Stream.ESCAPE, *philox.key(3)
    uniform = table("uniform", step, int(philox.Stream.ESCAPE), shared)
    np.testing.assert_array_equal(uniform.numpy(), philox.uniform(*where))
    normal = table("normal", step, int(philox.Stream.ESCAPE), shared)
    np.testing.assert_allclose(normal.numpy(), philox.normal(*where), rtol=1e-13)


def test_numbers_in_single_precision_are_rounded_and_uniform_ones_stay_below_one() -> None:
    single, double = draws(torch.float32), draws()
    for kind in ("uniform", "normal"):
        numbers = [table(kind, 5, 2, False) for table in (single, double)]
        assert numbers[0].dtype == torch.float32
        np.testing.assert_allclose(numbers[0].numpy(), numbers[1].numpy(), rtol=1e-5, atol=1e-6)
    most = torch.tensor([LARGEST])
    assert float(torch_noise.uniform_of(0 * most, 0 * most, torch.float32)) > 0
    assert float(torch_noise.uniform_of(most, most, torch.float32)) < 1
    ends = torch_noise.normals_of((most, 0 * most, 0 * most, most), torch.float32)
    assert all(bool(torch.isfinite(one).all()) for one in ends)


def test_currents_at_a_crossing_are_those_of_the_loop() -> None:
    table, found = draws(), 0
    for step in range(40):
        rng = np.random.default_rng(step)
        way, kick, now, later = 0.1 * rng.normal(size=5), 0.1 * rng.normal(size=5), *rng.normal(size=(2, 5))
        room, pieces = rng.uniform(0.02, 0.3, size=5), np.array([0.0, 1.0, 2.0, 5.0, 8.0])
        path = [way, kick, now, later, room, room + 0.02, pieces, 0.8, 0.98, 0.02, 0.02, 0.6, 0.005, 0.003, 0.1, 0.05,
                math.sqrt(0.3), math.sqrt(0.7)]  # fmt: skip
        who = step, table.neuron.numpy(), table.trial.numpy(), table.point.numpy(), 20, *philox.key(3)
        expected = philox.passage(*who, 21, *path)
        crossing = torch_noise.passage(
            table, step, 20, 21, *(torch.tensor(np.asarray(one, dtype=float)) for one in path)
        )
        np.testing.assert_allclose(crossing.numpy(), expected, rtol=1e-9)
        found += int(np.sum(expected < philox.NEVER))
    assert 20 < found < 150


# -------------------------------------------------------------------------------------------------------------- spikes


@pytest.mark.parametrize(("cell", "noise", "bridge"), CASES)
def test_spikes_are_those_of_the_numpy_engine(cell: str, noise: str, bridge: bool) -> None:
    parts = NEURONS[cell], (NOISES | AT_THRESHOLD)[noise], STEEP
    both(*parts, n_neurons=3, trials=2, duration=60 * ms, dt=0.2 * ms, seed=3, bridge=bridge)


@pytest.mark.slow
def test_a_neuron_without_a_reset_is_that_of_the_numpy_engine() -> None:
    run = {"n_neurons": 2, "duration": 40 * ms, "dt": 0.04 * ms, "seed": 1}
    both(nsnn.WangBuzsaki(), nsnn.WhiteNoise(8 * mV), nsnn.Constant(20 * mV), **run)


@pytest.mark.slow
def test_parameters_of_each_neuron_points_and_a_sampled_stimulus() -> None:
    """In more steps than move to the host at once."""
    each = {"tau_m": [10, 20, 30] * ms, "v_thresh": [18, 19, 20] * mV, "tau_refrac": [1, 2.33, 0] * ms}
    cell = nsnn.LIF(v_rest=0 * mV, v_reset=10 * mV, **each)
    noise, drive = nsnn.WhiteNoise([2, 0, 4] * mV), nsnn.FrozenNoise(22 * mV, 4 * mV, 5 * ms, seed=2)
    options = {"n_neurons": 3, "trials": 2, "duration": 110 * ms, "seed": 5}
    block = both(cell, noise, drive, point=4, **options)
    assert spikes(block) != spikes(nsnn.simulate(cell, noise, drive, engine="torch", device="cpu", **options))
    parameters = block.annotations["parameters"]
    assert (parameters["engine"], parameters["device"]) == ("torch", "cpu")
    assert block.annotations["versions"]["torch"] == importlib.metadata.version("torch")


@pytest.mark.slow
def test_a_stimulus_with_a_channel_for_each_neuron() -> None:
    values = np.random.default_rng(1).normal(22, 5, size=(900, 3))
    signal = AnalogSignal(values, units="mV", sampling_period=0.1 * pq.ms)
    both(CELL, NOISE, nsnn.Recorded(signal), n_neurons=3, trials=2, duration=90 * ms, seed=5)


@pytest.mark.slow
def test_large_groups_which_draw_for_four_steps_at_once() -> None:
    noises = NOISE, nsnn.OUNoise(3 * mV, 5 * ms, shared=0.3), nsnn.PoissonNoise(900 * Hz, 1 * mV)
    cells = [
        nsnn.Population(700, CELL, noise=one, stimulus=DRIVE, name=f"p{k}") for k, one in enumerate(noises)
    ]
    both(nsnn.Network(cells), trials=3, duration=30 * ms, seed=2)


@pytest.mark.slow
def test_a_run_continues_another_one() -> None:
    """Also in the middle of the four steps that share random words, and on another engine."""
    options = {"n_neurons": 2100, "trials": 2, "seed": 1, "dt": 0.2 * ms}
    parts = CELL, NOISE, nsnn.Constant(24 * mV)
    everything = spikes(nsnn.simulate(*parts, duration=40 * ms, engine="numpy", **options))
    for engines in (("numpy", "torch"), ("torch", "numpy")):
        first, state = nsnn.simulate(
            *parts, duration=18.2 * ms, engine=engines[0], return_state=True, **options
        )
        second = nsnn.simulate(
            *parts, duration=21.8 * ms, engine=engines[1], **(options | {"seed": None}), initial=state
        )
        pieces = [np.array(spikes(block)) for block in (first, second)]
        assert sorted(np.concatenate(pieces, axis=1).T.tolist()) == sorted(np.array(everything).T.tolist())


@pytest.mark.slow
def test_recorded_membranes_and_start_values() -> None:
    options = {"n_neurons": 3, "trials": 2, "duration": 30 * ms, "seed": 1}
    options["initial"] = {"v": [1, 15, 19] * mV}
    parts = CELL, NOISE, nsnn.Constant(24 * mV)
    block = both(*parts, record_v=[0, 2], **options)
    expected = nsnn.simulate(*parts, record_v=[0, 2], engine="numpy", **options)
    for one, other in zip(block.segments, expected.segments, strict=True):
        np.testing.assert_allclose(
            one.analogsignals[0].magnitude, other.analogsignals[0].magnitude, rtol=1e-9
        )
        assert one.analogsignals[0].array_annotations["neuron"].tolist() == [0, 2]
    discrete = nsnn.NSNNNeuron(beta=0.8), None, nsnn.Constant(0.4)
    options = {"duration": 20 * ms, "dt": 1 * ms, "record_v": True, "seed": 1}
    blocks = [nsnn.simulate(*discrete, engine=name, **options) for name in ("numpy", "torch")]
    signals = [block.segments[0].analogsignals[0] for block in blocks]
    np.testing.assert_allclose(signals[1].magnitude, signals[0].magnitude, rtol=1e-12)


@pytest.mark.slow
def test_populations_without_projections_and_a_file(tmp_path: Any) -> None:
    net = nsnn.Network([
        nsnn.Population(2, CELL, noise=NOISE, stimulus=nsnn.Constant(24 * mV), name="a"),
        nsnn.Population(3, nsnn.NSNNNeuron(beta=0.8), noise=nsnn.EscapeNoise(nsnn.Gaussian(0.3)), name="b"),
        nsnn.Population(4, nsnn.PoissonSource(200 * Hz), name="c"),
    ])  # fmt: skip
    block = both(net, trials=2, duration=50 * ms, seed=4)
    fractions: list[float] = []
    out = {"out": tmp_path / "a.nwb", "progress": fractions.append}
    saved = nsnn.simulate(net, trials=2, duration=50 * ms, seed=4, engine="torch", **out)
    assert spikes(saved) == spikes(block)
    assert fractions[-1] == 1
    assert fractions == sorted(fractions)


@pytest.mark.slow
@pytest.mark.parametrize(
    "noise", [nsnn.OUNoise(3 * mV, 0.5 * ms), nsnn.PoissonNoise(900 * Hz, 1 * mV)], ids=str
)
def test_rates_in_single_precision(single_precision: Any, noise: Any) -> None:
    """Spike counts of neurons of another seed in double precision have the same mean: |z| < 4."""
    options = {"n_neurons": 400, "duration": 200 * ms}
    single = nsnn.simulate(
        CELL, noise, nsnn.Constant(22 * mV), seed=1, engine="torch", device="cpu", **options
    )
    prefs.core.default_float_dtype = np.float64
    double = nsnn.simulate(CELL, noise, nsnn.Constant(22 * mV), seed=2, engine="numpy", **options)
    counts = [np.bincount(Trains.from_block(block).neuron, minlength=400) for block in (single, double)]
    assert counts[0].mean() > 2
    assert abs(stats.ttest_ind(*counts).statistic) < 4


# ------------------------------------------------------------------------------------------------------------ refusals


def refused(match: str, *parts: Any, **options: Any) -> None:
    with pytest.raises(NsnnError, match=match):
        nsnn.simulate(*parts, **({"duration": 5 * ms, "engine": "torch"} | options))


def test_what_the_engine_cannot_do_is_refused() -> None:
    refused('threads = 2: engine="torch" uses one', CELL, threads=2)
    for device in ("cuda:99", "nowhere", 1.5, "meta"):
        refused("device = .*expected a device of PyTorch.*'cpu'", CELL, device=device)
    for engine in ("numpy", "auto"):
        refused(f"device = 'cpu': engine=\"{engine}\" has none", CELL, device="cpu", engine=engine)
    with pytest.raises(NsnnError, match="engine = 'torch': expected one of 'auto', 'cython', 'numpy', 'cpp'"):
        nsnn.certify("Relay", engine="torch")


def test_a_function_that_tensors_lack_is_refused() -> None:
    class Timed(nsnn.LIF):
        nonlinear = "0 * v * timestep(t, dt)"

    cell = Timed(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    refused("the function 'timestep' of this model.*use engine=\"numpy\"", cell, NOISE)
