"""Perturbations against their laws, by the error of the sample; pure, from the seed alone, nothing at size 0, bad input named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import ms, mV
from helpers.refusals import assert_refused
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import perturb
from nsnn_neuro.measures import as_trains

N = 40_000
GREY = np.full((200, 200), 0.5)
NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))


def z_of_share(hits: Any, p: float, n: int) -> float:
    """Of a number of hits in n draws of probability p."""
    return float((hits - n * p) / np.sqrt(n * p * (1 - p)))


def block_of(n_trials: int = 3, n_neurons: int = 4, rate: float = 40.0) -> neo.Block:
    """Trials of 1 to 3 s with all that a Block can have."""
    rng = np.random.default_rng(2)
    trains = [
        [np.sort(rng.uniform(-1, 1, rng.poisson(2 * rate))) for _ in range(n_neurons)]
        for _ in range(n_trials)
    ]
    signal = neo.AnalogSignal(rng.normal(size=20), units="mV", sampling_rate=10 * pq.Hz, name="stimulus")
    block = nsnn.to_block(trains, t_start=-1 * pq.s, t_stop=1 * pq.s, stimulus=signal)
    block.name = "cells"
    block.annotate(dt=1e-4, seed=7)
    for k, segment in enumerate(block.segments):
        segment.annotate(label=k)
        segment.events.append(neo.Event([0.5] * pq.s, labels=["on"]))
        segment.epochs.append(neo.Epoch([0.1] * pq.s, durations=[0.2] * pq.s, labels=["shown"]))
    return block


def layered() -> nsnn.Network:
    return nsnn.feedforward([6, 5, 3], noise=NOISE, plasticity=nsnn.NDL(0.1), seed=3)


def sparse() -> nsnn.Network:
    """Weights in volts, one of the projections with the same for all."""
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    one, two = (nsnn.Population(60, cell, name=name) for name in "EI")
    some = nsnn.Projection(one, two, rule=nsnn.FixedProbability(0.2), weight=nsnn.Normal(0.5 * mV, 0.1 * mV))
    others = nsnn.Projection(two, one, rule=nsnn.FixedInDegree(5), weight=-0.3 * mV)
    return nsnn.Network([one, two], [some, others], seed=4)


IMAGES = np.random.default_rng(1).random((7, 12))
SPIKES = (np.random.default_rng(1).random((5, 8, 6)) < 0.4).astype(np.uint8)
EVENTS = np.zeros(50, [("x", np.uint8), ("y", np.uint8), ("polarity", np.uint8), ("t", np.int64)])
EVENTS["t"] = np.arange(50) ** 2

# function, what it is given, options; options of size 0
CASES: list[tuple[Callable[..., Any], Callable[[], Any], dict[str, Any], dict[str, Any]]] = [
    (perturb.gaussian, IMAGES.copy, {"sd": 0.3}, {"sd": 0}),
    (perturb.multiplicative, IMAGES.copy, {"sd": 0.3}, {"sd": 0}),
    (perturb.salt_and_pepper, IMAGES.copy, {"p": 0.3}, {"p": 0}),
    (perturb.occlusion, IMAGES.copy, {"size": 2, "shape": (3, 4)}, {"size": 0, "shape": (3, 4)}),
    (perturb.drop_events, SPIKES.copy, {"p": 0.3}, {"p": 0}),
    (perturb.drop_events, EVENTS.copy, {"p": 0.3}, {"p": 0}),
    (perturb.delete_spikes, block_of, {"p": 0.3}, {"p": 0}),
    (perturb.insert_spikes, block_of, {"rate": 9 * pq.Hz}, {"rate": 0 * pq.Hz}),
    (perturb.weight_noise, layered, {"sd": 0.3}, {"sd": 0}),
    (perturb.weight_noise, sparse, {"sd": 0.3}, {"sd": 0}),
]
NAMES = [f"{function.__name__}-{k}" for k, (function, *_) in enumerate(CASES)]


def content(thing: Any) -> Any:
    """What a perturbation may change, as plain values."""
    if isinstance(thing, neo.Block):
        spikes = as_trains(thing)
        return [
            a.tolist() for a in (spikes.trial, spikes.neuron, spikes.times, spikes.t_start, spikes.t_stop)
        ]
    if isinstance(thing, nsnn.Network):
        return [np.asarray(w).tolist() for w in thing.get_weights()]
    return thing.tolist()


def test_every_public_function_is_in_the_table() -> None:
    assert {function.__name__ for function, *_ in CASES} | {"quantise"} == set(perturb.__all__)


@pytest.mark.parametrize(("function", "make", "options", "nothing"), CASES, ids=NAMES)
def test_pure_and_from_the_seed_alone(function, make, options, nothing) -> None:  # type: ignore[no-untyped-def]
    given = make()
    before = content(given)
    found = content(function(given, **options, seed=1))
    assert content(given) == before
    assert found != before
    assert content(function(given, **options, seed=1)) == found
    assert content(function(make(), **options, seed=2)) != found
    same = function(given, **nothing, seed=1)
    assert same is not given
    assert content(same) == before


CHANGES: list[tuple[int, dict[str, Any], str, str]] = [
    *((k, {"seed": None}, "seed = None", "a whole number, at least 0") for k in range(len(CASES))),
    (2, {"p": -0.1}, "p = -0.1", "a number from 0 to 1"),
    (4, {"p": 1.1}, "p = 1.1", "a number from 0 to 1"),
    (6, {"p": np.nan}, "p = nan", "a number from 0 to 1"),
    *((k, {"sd": -1}, "sd = -1", "a finite number") for k in (0, 1, 8)),
    (0, {"sd": np.inf}, "sd = inf", "a finite number"),
    (8, {"sd": [0.1, 0.2]}, "sd = [0.1, 0.2]", "a finite number"),
    (3, {"size": 4}, "size = 4", "a whole number from 0 to 3"),
    (3, {"shape": None}, "shape = None for x of shape (7, 12)", "expected (height, width)"),
    (3, {"shape": (12,)}, "shape = (12,)", "expected"),
    (3, {"shape": (3, 5)}, "x has shape (7, 12)", "expected images, (n, 15)"),
    (7, {"rate": 5.0}, "rate = 5.0", "has no unit"),
    (7, {"rate": -5 * pq.Hz}, "rate = -5.0 Hz", "one number of at least 0 Hz"),
    (7, {"rate": [5, 6] * pq.Hz}, "rate = ", "expected"),
]
# what is given in place of the data
GIVEN: list[tuple[int, Any, str, str]] = [
    *((k, [0.5, np.nan], "x has shape", "NaN") for k in (0, 1, 2)),
    (0, [0.5, 1.5], "values from 0.5 to 1.5", "e.g. x / x.max"),
    (1, [-0.1], "values from -0.1 to -0.1", "expected"),
    (2, "text", "x = str", "expected an array"),
    (0, 0.5, "x ", "expected an array of numbers"),
    (3, np.full((7, 12), np.nan), "x has shape", "NaN"),
    (4, SPIKES * 2, "events has shape", "or of spikes, 0 and 1"),
    (4, block_of(), "events has shape", "an array of events"),
    (6, SPIKES, "block", "a neo.Block"),
    (7, SPIKES, "block", "a neo.Block"),
    (8, IMAGES, "net = ", "a Network, such as fit.network"),
]


def test_bad_input_is_named_with_a_cure() -> None:
    def call(k: int, change: dict[str, Any], given: Any = None) -> Any:
        function, make, options, _ = CASES[k]
        return function(make() if given is None else given, **{"seed": 1, **options, **change})

    rows = [(lambda k=k, change=change: call(k, change), *told) for k, change, *told in CHANGES]
    rows += [(lambda k=k, given=given: call(k, {}, given), *told) for k, given, *told in GIVEN]
    for bits in (1, 33, 4.0):
        quantised = lambda bits=bits: perturb.quantise(layered(), bits=bits)  # noqa: E731
        rows.append((quantised, f"bits = {bits}", "a whole number from 2 to 32"))
    rows.append((lambda: perturb.quantise(None, bits=4), "net = ", "a Network"))  # type: ignore[arg-type]
    assert_refused(rows)  # type: ignore[arg-type]


@pytest.mark.parametrize(("function", "sd"), [(perturb.gaussian, 0.1), (perturb.multiplicative, 0.05)])
def test_noise_has_its_mean_and_spread(function: Callable[..., np.ndarray], sd: float) -> None:
    """Far from both ends, so that nothing is clipped: normal, by Kolmogorov and Smirnov too."""
    found = function(GREY, sd=0.1, seed=1)
    z = (found.ravel() - 0.5) / sd
    assert abs(z.mean()) * np.sqrt(N) < 4
    assert abs(z.var() - 1) * np.sqrt(N / 2) < 4
    assert stats.kstest(z, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(z[:-1], z[1:])[0, 1]) * np.sqrt(N) < 4


def test_noise_is_clipped() -> None:
    black, white = perturb.gaussian(np.zeros(N), sd=0.5, seed=1), perturb.gaussian(np.ones(N), sd=0.5, seed=2)
    assert abs(z_of_share((black == 0).sum(), 0.5, N)) < 4
    assert abs(z_of_share((white == 1).sum(), 0.5, N)) < 4
    assert abs(z_of_share((black == 1).sum(), stats.norm.sf(2), N)) < 4
    assert (perturb.multiplicative(np.zeros(N), sd=3.0, seed=1) == 0).all()


def test_salt_and_pepper_come_in_equal_parts() -> None:
    found = perturb.salt_and_pepper(GREY, p=0.3, seed=1)
    assert abs(z_of_share((found == 0).sum(), 0.15, N)) < 4
    assert abs(z_of_share((found == 1).sum(), 0.15, N)) < 4
    assert set(np.unique(found)) == {0.0, 0.5, 1.0}
    assert set(np.unique(perturb.salt_and_pepper(GREY, p=1, seed=1))) == {0.0, 1.0}


def test_occlusion_is_a_square_anywhere() -> None:
    """In 5 x 7 pixels a square of 3 has 3 x 5 places, all as probable; the rest of the image stays."""
    x = np.random.default_rng(3).uniform(0.1, 1, (3000, 5, 7))
    found = perturb.occlusion(x, size=3, seed=1)
    hidden = found == 0
    np.testing.assert_array_equal(found[~hidden], x[~hidden])
    assert (hidden.sum(axis=(1, 2)) == 9).all()
    top, left = hidden.any(axis=2).argmax(axis=1), hidden.any(axis=1).argmax(axis=1)
    assert all(hidden[k, i : i + 3, j : j + 3].all() for k, (i, j) in enumerate(zip(top, left, strict=True)))
    counts = np.bincount(5 * top + left, minlength=15)
    assert counts.size == 15
    assert stats.chisquare(counts).pvalue > 1e-4
    flat = perturb.occlusion(x.reshape(3000, 35), size=3, shape=(5, 7), seed=1)
    np.testing.assert_array_equal(flat, found.reshape(3000, 35))
    assert not perturb.occlusion(np.ones((2, 4, 4)), size=4, seed=1).any()


@pytest.mark.parametrize("kind", [np.uint8, float])
def test_spikes_are_dropped_at_random(kind: type) -> None:
    spikes = (np.random.default_rng(4).random((100, 20, 30)) < 0.5).astype(kind)
    left = perturb.drop_events(spikes, p=0.3, seed=1)
    assert left.dtype == spikes.dtype
    assert not left[spikes == 0].any()
    n = int(spikes.sum())
    assert abs(z_of_share(left.sum(), 0.7, n)) < 4


def test_events_are_dropped_in_order() -> None:
    events = np.zeros(N, EVENTS.dtype)
    events["t"], events["x"] = np.arange(N), np.arange(N) % 34
    left = perturb.drop_events(events, p=0.2, seed=1)
    assert abs(z_of_share(len(left), 0.8, N)) < 4
    np.testing.assert_array_equal(left, events[left["t"]])
    assert (np.diff(left["t"]) > 0).all()
    assert perturb.drop_events(events, p=1, seed=1).size == 0


def trains(block: neo.Block) -> dict[tuple[int, int], list[float]]:
    s = as_trains(block)
    found: dict[tuple[int, int], list[float]] = {
        (i, j): [] for i in range(s.t_start.size) for j in range(s.n_neurons)
    }
    for i, j, t in zip(s.trial.tolist(), s.neuron.tolist(), s.times.tolist(), strict=True):
        found[i, j].append(t)
    return found


def test_spikes_are_deleted_at_random() -> None:
    block = block_of(rate=2000.0)
    left = perturb.delete_spikes(block, p=0.3, seed=1)
    before, after = trains(block), trains(left)
    assert before.keys() == after.keys()
    for key, times in after.items():
        assert set(times) <= set(before[key])
        assert abs(z_of_share(len(times), 0.7, len(before[key]))) < 4
    assert left.annotations["dt"] == 1e-4
    assert not any(trains(perturb.delete_spikes(block, p=1, seed=1)).values())


def test_a_thinned_renewal_process_has_its_cv() -> None:
    """CV^2 of what is left with probability q is q CV^2 + 1 - q: .55 for intervals of 4 stages (CV .5) and q = .6."""
    intervals = np.random.default_rng(5).gamma(4, 0.25, (60, 1000))
    block = nsnn.to_block([np.cumsum(intervals, axis=1)], t_stop=2000 * pq.s)
    found = nsnn.measures.cv(perturb.delete_spikes(block, p=0.4, seed=1)) ** 2
    assert abs(found.mean() - (0.6 * 0.25 + 0.4)) < 4 * stats.sem(found)


def test_inserted_spikes_are_a_poisson_process() -> None:
    """300 Hz for 2 s in each of 12 trains, counts and times; what was there stays."""
    block = block_of()
    more = perturb.insert_spikes(block, rate=300 * pq.Hz, seed=1)
    before, after = trains(block), trains(more)
    new = {key: sorted(set(after[key]) - set(before[key])) for key in before}
    counts = np.array([len(times) for times in new.values()])
    assert [len(after[k]) for k in before] == [len(before[k]) + len(new[k]) for k in before]
    assert abs(counts.sum() - 7200) < 4 * np.sqrt(7200)
    assert abs(counts.var(ddof=1) / 600 - 1) < 4 * np.sqrt(2 / 11)
    assert stats.kstest(np.concatenate(list(new.values())), stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert "dt" not in more.annotations
    assert block.annotations["dt"] == 1e-4


@pytest.mark.parametrize(
    ("function", "options"),
    [(perturb.delete_spikes, {"p": 0.2}), (perturb.insert_spikes, {"rate": 3 * pq.Hz})],
)
def test_the_rest_of_a_block_stays_and_what_was_done_is_told(function, options, tmp_path) -> None:  # type: ignore[no-untyped-def]
    block = block_of()
    kept = copy.deepcopy(dict(block.annotations))
    new = function(function(block, **options, seed=1), **options, seed=2)
    assert dict(block.annotations) == kept
    assert (new.name, new.annotations["seed"]) == ("cells", 7)
    done = new.annotations["perturbations"]
    assert [(d["name"], d["seed"]) for d in done] == [(function.__name__, 1), (function.__name__, 2)]
    for k, (old, segment) in enumerate(zip(block.segments, new.segments, strict=True)):
        assert segment.annotations["label"] == k
        assert old.analogsignals[0].segment is old
        np.testing.assert_array_equal(segment.analogsignals[0].magnitude, old.analogsignals[0].magnitude)
        assert segment.events[0].labels.tolist() == ["on"]
        assert segment.epochs[0].labels.tolist() == ["shown"]
    for segment in new.segments:
        segment.events.clear()
        segment.epochs.clear()
    again = nsnn.load(nsnn.save(new, tmp_path / "new.nwb"))
    assert content(again) == content(new)
    assert again.annotations["perturbations"] == done


@pytest.mark.parametrize("make", [layered, sparse])
def test_weights_are_off_by_a_normal_relative_error(make: Callable[[], nsnn.Network]) -> None:
    net = make()
    errors = []
    for seed in range(15):
        new = perturb.weight_noise(net, sd=0.1, seed=seed)
        errors += [
            (np.asarray(b) / np.asarray(a) - 1).ravel()
            for a, b in zip(net.get_weights(), new.get_weights(), strict=True)
        ]
    z = np.concatenate(errors) / 0.1
    assert abs(z.mean()) * np.sqrt(z.size) < 4
    assert abs(z.var() - 1) * np.sqrt(z.size / 2) < 4
    for name in net.projection_names:
        np.testing.assert_array_equal(new.connections(name).pre, net.connections(name).pre)
        np.testing.assert_array_equal(new.connections(name).post, net.connections(name).post)
    assert new.seed == net.seed
    assert new.populations == net.populations


@pytest.mark.parametrize(("make", "bits"), [(layered, 2), (sparse, 8)])
def test_quantised_weights_lie_on_the_levels(make: Callable[[], nsnn.Network], bits: int) -> None:
    net = make()
    before = content(net)
    new = perturb.quantise(net, bits=bits)
    for a, b in zip(net.get_weights(), new.get_weights(), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        step = np.abs(a).max() / (2 ** (bits - 1) - 1)
        level = b / step
        np.testing.assert_allclose(level, np.rint(level), rtol=0, atol=1e-9)
        assert np.abs(level).max() <= 2 ** (bits - 1) - 1 + 1e-9
        assert np.abs(a - b).max() <= step / 2 * (1 + 1e-9)
        assert np.abs(b).max() == pytest.approx(np.abs(a).max(), rel=1e-12)
    assert content(net) == before
    twice = perturb.quantise(new, bits=bits)
    for b, c in zip(new.get_weights(), twice.get_weights(), strict=True):
        np.testing.assert_allclose(np.asarray(c), np.asarray(b), rtol=1e-12)


def test_quantised_by_hand() -> None:
    net = nsnn.feedforward(
        [2, 3, 1], noise=NOISE, weights=[[[1.2, -0.5, 0.7], [-0.61, 0.0, 0.59]], np.zeros((3, 1))]
    )
    first, second = perturb.quantise(net, bits=2).get_weights()
    np.testing.assert_allclose(first, [[1.2, 0, 1.2], [-1.2, 0, 0]])
    np.testing.assert_array_equal(second, 0)
