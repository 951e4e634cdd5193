"""`calibrate` of networks by simulation: statistics of populations, the regression, recovery, files, refusals."""

import dataclasses

import numpy as np
import pytest
import quantities as pq
from brian2 import ms, mV, second
from scipy.stats import variation

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.io.spikes import Trains
from nsnn_neuro.likelihood.by_simulation import regression
from nsnn_neuro.likelihood.by_simulation.networks import NetworkRuns
from nsnn_neuro.likelihood.by_simulation.population_statistics import PopulationStatistics
from nsnn_neuro.models.connectivity import FixedProbability

CELL = nsnn.LIF(tau_m=10 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
BOUNDS = {"drive": (12 * mV, 30 * mV), "weight": (0.2 * mV, 3 * mV)}
QUICK = {"dt": 1 * ms, "engine": "numpy", "method": "simulation", "n_simulations": 40, "n_generations": 8}


def inhibited(p):
    drive = {"noise": nsnn.WhiteNoise(4 * mV), "stimulus": nsnn.Constant(p["drive"])}
    cells = nsnn.Population(20, CELL, name="cells", **drive)
    rule = FixedProbability(0.5)
    loop = nsnn.Projection(cells, cells, rule=rule, weight=-p["weight"], delay=2 * ms)
    return nsnn.Network([cells], [loop])


def recording(seed=1, **truth):
    net = inhibited({"drive": 22 * mV, "weight": 1 * mV} | truth)
    return nsnn.simulate(net, duration=0.5 * second, trials=2, dt=1 * ms, seed=seed, engine="numpy")


class Linear:
    """Simulations whose statistics are linear in the parameters, with normal noise of a known covariance."""

    def __init__(self, seed):
        rng = np.random.default_rng([7, seed])
        self.seed, self.free = seed, dataclasses.make_dataclass("Free", ["names"])(("a", "b"))
        self.slopes = rng.normal(size=(6, 2))
        mixing = 0.03 * (np.eye(6) + 0.5 * rng.normal(size=(6, 6)))
        self.covariance, self.mixing = mixing @ mixing.T, mixing

    def drawn(self, u, key):
        return self.slopes @ u + self.mixing @ np.random.default_rng([self.seed, key]).normal(size=6)

    def __call__(self, points, n_simulations, numbers, report):
        report(len(points))
        return np.stack([self.drawn(u, key)[None] for u, key in zip(points, numbers, strict=True)])


def test_the_regression_is_generalised_least_squares_with_its_errors():
    z, ratios, ended = [], [], 0
    for seed in range(40):
        runs, truth = Linear(seed), np.array([0.3, 0.6])
        target = runs.drawn(truth, 10**9)
        surface, u, n_runs, settled = regression.approach(runs, target, 200, 20, lambda _: None)
        exact = np.linalg.inv(runs.slopes.T @ np.linalg.inv(runs.covariance) @ runs.slopes)
        ours = np.linalg.inv(surface.known(u)[0])
        z += ((u - truth) / np.sqrt(np.diag(ours))).tolist()
        ratios += (np.diag(ours) / np.diag(exact)).tolist()
        ended += settled and n_runs < 4000
    assert ended >= 38
    assert abs(np.mean(z)) < 4 / np.sqrt(len(z))
    assert 0.75 < np.std(z) < 1.3
    assert 0.9 < np.median(ratios) < 1.3


class Ridge(Linear):
    """Parameters whose sum matters much, and whose difference hardly does."""

    def __init__(self, seed):
        super().__init__(seed)
        self.mixing = 0.05 * np.eye(6)
        self.slopes = np.array([[2.0, 2.0], [1.0, 1.0], [0.1, -0.1], [0.1, -0.1], [0.0, 0.0], [1.0, 1.0]])

    def drawn(self, u, key):
        shifted = super().drawn(u, key)
        shifted[4] += 3 * (u.sum() - 1) ** 2  # a surface over all of the bounds is not of second order
        shifted[5] = np.tanh(shifted[5] - 1)
        return shifted


@pytest.mark.slow  # thirty searches
def test_limits_along_a_ridge_hold_the_truth():
    """Most of the bounds are far from the ridge; the difference has a standard error of a quarter of its range."""
    held, errors, settled, truth = [], [], 0, np.array([0.6, 0.4])
    for seed in range(40):
        runs = Ridge(seed)
        target = runs.drawn(truth, 10**9)
        surface, u, _, one_settled = regression.approach(runs, target, 200, 20, lambda _: None)
        settled += one_settled
        limits = [surface.limits(target, u, k, 3.84) for k in range(2)]
        held.append([low <= x <= high for x, (low, high) in zip(truth, limits, strict=True)])
        errors.append(np.sqrt(np.diag(np.linalg.inv(surface.known(u)[0]))))
    assert settled >= 37
    assert np.all(np.sum(held, axis=0) >= 34)  # of 40; 38 expected
    exact = 0.05 / np.sqrt(2) / 0.1 / 2
    assert np.all(np.abs(np.median(errors, axis=0) / exact - 1) < 0.25)


def test_statistics_of_populations_are_those_of_histograms_and_intervals():
    rng = np.random.default_rng(1)
    spikes = [[np.sort(rng.random(40)) for _ in range(5)] for _ in range(2)]  # two trials of 1 s
    rows = [(t, j, k) for k, trial in enumerate(spikes) for j, train in enumerate(trial) for t in train]
    times, neuron, trial = (np.array(column) for column in zip(*rows, strict=True))
    edges = np.tile([0.0, 1.0], (2, 1))
    trains = Trains.from_arrays(times, neuron, trial, 5, edges)
    table = PopulationStatistics((("a", 5), ("b", 5)), np.ones(2))
    values = dict(zip(table.names, table.of([trains, trains]), strict=True))
    intervals = [np.concatenate([np.diff(one[j]) for one in spikes]) for j in range(5)]
    counts = [np.histogram(np.concatenate(one), np.linspace(0, 1, 21))[0] for one in spikes]
    each = [[np.histogram(train, np.linspace(0, 1, 21))[0] for train in one] for one in spikes]
    each = np.concatenate(each, axis=1)  # neurons, windows of 50 ms
    expected = {
        "a: log rate": np.log((400 + 0.5) / 10),
        "a: log CV of intervals": np.log(
            np.mean([variation(one) * np.sqrt(one.size / (one.size - 1)) for one in intervals])
        ),
        "a: log interval, 50%": np.log(np.median(np.concatenate(intervals))),
        "a: log Fano factor, 50 ms": np.log(each.var(axis=1).mean() / each.mean()),
        "a: log Fano factor of all, 50 ms": np.log(np.var(counts) / np.mean(counts)),
        "a and b: correlation": np.arctanh(0.999),
    }
    for name, value in expected.items():
        assert values[name] == pytest.approx(value), name
    assert len(values) == len(table.names)
    assert np.isfinite(list(values.values())).all()
    flat = [value for name, value in values.items() if "power" in name]
    assert np.all(np.abs(flat) < 1.0)  # independent Poisson trains have the power 1 (log 0)


def test_a_silent_population_has_finite_statistics():
    trains = Trains.from_arrays(np.empty(0), np.empty(0, int), np.empty(0, int), 3, np.array([[0.0, 1.0]]))
    table = PopulationStatistics((("a", 3),), np.ones(1))
    assert np.isfinite(table.of([trains])).all()


@pytest.mark.slow
def test_drive_and_weight_of_a_network_are_recovered_and_a_second_call_reads_its_files(tmp_path, monkeypatch):
    block = recording()
    fit = nsnn.calibrate(inhibited, BOUNDS, trains=block, out=tmp_path, seed=3, **QUICK)
    truth = {"drive": 0.022, "weight": 0.001}
    for name, value in truth.items():
        assert abs(fit.parameters[name] - value) < 4 * fit.se[name], name
        assert fit.se[name] < 0.2 * value, name
    assert fit.p > 1e-3
    assert fit.model.population("cells").n == 20
    with pytest.raises(NsnnError, match="network"):
        fit.save(tmp_path / "fit.npz")
    assert fit.simulate(seed=2).annotations["populations"] == [{"name": "cells", "size": 20}]
    monkeypatch.setattr(NetworkRuns, "simulated", None)
    again = nsnn.calibrate(inhibited, BOUNDS, trains=block, out=tmp_path, seed=3, **QUICK)
    assert again.parameters == fit.parameters
    assert str(again) == str(fit)


def test_wiring_noise_and_chosen_neurons_differ_between_simulations(monkeypatch):
    drawn = []
    monkeypatch.setattr(regression, "approach", None)

    def one(self, u, seeds):
        drawn.append(tuple(seeds.generate_state(3, np.uint64).tolist()))
        return np.zeros(1)

    monkeypatch.setattr(NetworkRuns, "_one", one)
    runs = NetworkRuns(None, None, 10, 1e-3, 1.0, 5, "numpy")
    runs.simulated(np.zeros((2, 1)), 2, [4, 5])
    assert len({value for row in drawn for value in row}) == 12


REFUSED = {
    "a network itself": (lambda: inhibited({"drive": 20 * mV, "weight": 1 * mV}), {}, "function"),
    "a function that makes a neuron": (lambda: lambda p: CELL, {}, "Network"),
    "noise beside": (lambda: inhibited, {"noise": nsnn.WhiteNoise(1 * mV)}, "noise"),
    "no free parameters": (lambda: inhibited, {"free": None}, "free"),
    "bounds in the wrong order": (lambda: inhibited, {"free": {"drive": (3 * mV, 1 * mV)}}, "drive"),
    "few simulations": (lambda: inhibited, {"n_simulations": 5}, "n_simulations"),
    "another engine": (lambda: inhibited, {"engine": "torch"}, "engine"),
}


@pytest.mark.parametrize(("make", "options", "word"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_is_named(make, options, word):
    given = {"free": BOUNDS, "trains": recording(), **QUICK} | options
    with pytest.raises(NsnnError) as raised:
        nsnn.calibrate(make(), given.pop("free"), **given)
    assert word in str(raised.value)


def test_recorded_populations_have_the_networks_names_and_are_not_larger():
    times = np.linspace(0.01, 0.9, 40) * pq.s
    block = nsnn.to_block({"E": {"unit 0": times}, "I": {"unit 1": times}}, t_stop=1 * pq.s)
    with pytest.raises(NsnnError, match="'E'"):
        nsnn.calibrate(inhibited, BOUNDS, trains=block, **QUICK)
    many = [np.linspace(0.01, 0.9, 40) + 0.001 * j for j in range(21)]
    with pytest.raises(NsnnError, match="21 neurons"):
        nsnn.calibrate(inhibited, BOUNDS, trains=nsnn.to_block([many], t_stop=1 * pq.s), **QUICK)


def test_the_default_method_names_the_one_for_networks():
    with pytest.raises(NsnnError, match="simulation"):
        nsnn.calibrate(inhibited, BOUNDS, trains=recording())
