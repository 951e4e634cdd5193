"""Training in the fast formulation: gradients against the reference, updates against the optimizers, and that it learns."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from brian2 import Hz, ms, second
from helpers.tiny_networks import FAMILIES, largest
from helpers.training import (
    BATCH,
    NOISE,
    PATHS,
    SIGNALS,
    SIZES,
    STEPS,
    One,
    feedback_of,
    fit_of,
    gradients,
    net_of,
    problem,
    same,
)

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError, coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.io import dumps
from nsnn_neuro.learning import Learner, read_checkpoint, write_checkpoint
from nsnn_neuro.measures import as_trains

PAIRS = [*itertools.product(FAMILIES, PATHS)]


@pytest.mark.parametrize(
    ("family", "case", "kind"), [(*pair, SIGNALS[k % 3]) for k, pair in enumerate(PAIRS)]
)
def test_gradients_are_the_references(family, case, kind):
    reset, path = case
    rule = nsnn.NDL(0.1, signal=kind, reset_path=path)
    found, expected, moved, _ = gradients(rule, family, reset, losses.rate_mse, feedback_of(kind))
    assert largest(found, expected) < 1e-10
    assert largest([m / 0.1 for m in moved], expected) < 1e-10


@pytest.mark.parametrize("case", PATHS)
@pytest.mark.parametrize("loss", [losses.cross_entropy_mean, losses.cross_entropy_step])
def test_gradients_of_every_loss_and_reset(loss, case):
    reset, path = case
    found, expected, *_ = gradients(nsnn.NDL(0.1, reset_path=path), nsnn.Gaussian(0.4), reset, loss, None)
    assert largest(found, expected) < 1e-10


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize(
    ("kind", "case", "loss"),
    [
        ("transport", PATHS[0], losses.rate_mse), ("random", PATHS[2], losses.cross_entropy_step),
    ],
)  # fmt: skip
def test_compiled_gradients_are_the_references(kind, case, loss):
    reset, path = case
    rule = nsnn.NDL(0.1, signal=kind, reset_path=path)
    found, expected, moved, _ = gradients(
        rule, nsnn.Logistic(0.25), reset, loss, feedback_of(kind), target="cython", unfilled=True
    )
    assert largest(found, expected) < 1e-10
    assert largest([m / 0.1 for m in moved], expected) < 1e-10


def test_a_batch_that_is_not_full_is_averaged_over_its_samples():
    found, expected, *_ = gradients(
        nsnn.NDL(0.1), nsnn.Gaussian(0.4), "hard", losses.rate_mse, None, unfilled=True
    )
    assert largest(found, expected) < 1e-10


def test_the_future_terms_are_there():
    """Without them, as online, the gradient of a hidden layer would be another."""
    found, expected, _, states = gradients(nsnn.NDL(0.1), nsnn.Gaussian(0.4), "hard", losses.rate_mse, None)
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    rng.random((7, 4))
    y = rng.integers(0, 3, 7)[[3, 1, 6]]
    layer = {"beta": 0.6, "theta": 0.8, "reset": "hard"}
    online = [np.zeros_like(w) for w in W]
    for b in range(BATCH):
        spikes = [o[b] for o in states[1:]]
        one = reference.ndl(
            W, states[0][b], spikes, One(losses.rate_mse, y[b]), nsnn.Gaussian(0.4), future=False, **layer
        )
        online = [total + g / BATCH for total, g in zip(online, one, strict=True)]
    assert np.abs(found[-1] - online[-1]).max() < 1e-12
    assert np.abs(found[0] - online[0]).max() > 0.01 * np.abs(found[0]).max()
    assert largest(found, expected) < 1e-10


def test_neurons_of_a_layer_may_differ():
    rng = np.random.default_rng(2)
    W = [rng.normal(0.5, 0.6, (3, 4))]
    family, beta, theta = (
        nsnn.Gaussian(0.3 + 0.1 * np.arange(4)),
        np.linspace(0.3, 0.9, 4),
        np.linspace(0.7, 1.2, 4),
    )
    net = nsnn.feedforward(
        [3, 4],
        noise=nsnn.EscapeNoise(family),
        neuron=nsnn.NSNNNeuron(beta=beta, theta=theta),
        weights=W,
        plasticity=nsnn.NDL(0.1),
    )
    X, y = rng.random((2, 3)), np.array([0, 3])
    with running("numpy"):
        learner = Learner(
            net, batch=2, n_steps=4, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        learner.run(X, y, np.array([[0, 1]]), np.array([False]), key=(1,))
        o = learner.layers[1].samples("o")
        learner.run(X, y, np.array([[0, 1], [0, 1]]), np.array([True, False]), key=(1,))
    expected = sum(
        reference.ndl(
            W,
            np.repeat(X[b : b + 1], 4, 0),
            [o[b]],
            One(losses.rate_mse, y[b]),
            family,
            beta=beta,
            theta=theta,
            reset="hard",
        )[0]
        for b in range(2)
    )
    assert largest([(W[0] - learner.weights[0]) / 0.1], [expected / 2]) < 1e-10


def test_the_deterministic_twin_fires_above_threshold_and_learns_by_the_surrogate():
    family = nsnn.Triangular(1.0)
    rule = nsnn.SurrogateGradient(family, 0.1)
    found, expected, _, states = gradients(rule, family, "hard", losses.rate_mse, None, noise=False)
    assert largest(found, expected) < 1e-10
    rng = np.random.default_rng(5)
    W = [rng.normal(0.35, 0.7, pair) for pair in itertools.pairwise(SIZES)]
    u = np.zeros((BATCH, 5))
    o = np.zeros((BATCH, 5))
    for t in range(STEPS):
        u = 0.6 * u * (1 - o) + states[0][:, t] @ W[0]
        o = (u > 0.8).astype(float)
        np.testing.assert_array_equal(states[1][:, t], o)
    assert 0 < states[1].mean() < 1


def test_e_prop_is_the_detached_triangle_up_to_gamma():
    eprop = nsnn.EProp(0.1, signal="transport", gamma=0.3)
    found, expected, *_ = gradients(
        eprop, nsnn.Triangular(0.8), "subtract", losses.rate_mse, None, noise=False
    )
    # each layer that the signal passes through brings its own gamma
    for k, (g, e) in enumerate(zip(found, expected, strict=True)):
        assert largest([g], [e * 0.3 ** (3 - k)]) < 1e-10


@pytest.mark.parametrize(
    "optimizer", [nsnn.SGD(), nsnn.Momentum(0.8), nsnn.Adam()], ids=lambda o: type(o).__name__
)
def test_weights_follow_the_optimizer(optimizer):
    X, y = np.eye(2)[[0, 1] * 4], np.array([0, 1] * 4)
    net = nsnn.feedforward([2, 3, 2], noise=NOISE, plasticity=nsnn.NDL(0.2, optimizer=optimizer))
    with running("numpy"):
        learner = Learner(
            net, batch=4, n_steps=5, encoder=coding.Bernoulli(), loss=losses.rate_mse, feedback=None
        )
        order, w = np.arange(8).reshape(2, 4), [a.copy() for a in learner.weights]
        m, v = ([np.zeros_like(a) for a in w] for _ in range(2))
        for n in range(1, 4):
            learner.run(X, y, order, np.array([True, False]), key=(1, n))
            for k, layer in enumerate(learner.layers[1:]):
                g = layer.slope.reshape(w[k].shape)
                if isinstance(optimizer, nsnn.SGD):
                    w[k] -= 0.2 * g
                elif isinstance(optimizer, nsnn.Momentum):
                    m[k] = 0.8 * m[k] + g
                    w[k] -= 0.2 * m[k]
                else:
                    m[k], v[k] = 0.9 * m[k] + 0.1 * g, 0.999 * v[k] + 0.001 * g**2
                    w[k] -= 0.2 * (m[k] / (1 - 0.9**n)) / (np.sqrt(v[k] / (1 - 0.999**n)) + 1e-8)
                np.testing.assert_allclose(learner.weights[k], w[k], atol=1e-12, rtol=0)
        assert all(np.abs(g.slope).max() > 0 for g in learner.layers[1:])


def test_spikes_have_their_probability():
    """One layer, one step: u = w x, P = F(u - theta)."""
    w = np.array([[0.6, 1.0, 1.3]])
    net = nsnn.feedforward([1, 3], noise=NOISE, weights=[w], plasticity=nsnn.NDL(0.0))
    with running("numpy"):
        learner = Learner(
            net, batch=2000, n_steps=1, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        counts = np.zeros(3)
        for k in range(5):
            learner.run(
                np.ones((1, 1)), np.zeros(1, int), np.zeros((1, 2000), int), np.array([False]), key=(1, k)
            )
            counts += learner.layers[1].samples("o").sum((0, 1))
    p, n = nsnn.Gaussian(0.4).cdf(w[0] - 1), 2000 * 5
    assert np.abs((counts - n * p) / np.sqrt(n * p * (1 - p))).max() < 4


@pytest.mark.slow
def test_spikes_are_those_of_simulate_in_distribution():
    """The same network under a constant input, there and here: mean spikes of each neuron in each step."""
    rng = np.random.default_rng(3)
    W, x, n = [rng.normal(0.4, 0.6, size) for size in ((3, 4), (4, 2))], np.array([0.2, 0.9, 0.6]), 200
    net = nsnn.feedforward([3, 4, 2], noise=NOISE, weights=W, plasticity=nsnn.NDL(0.1))
    with running("numpy"):
        learner = Learner(
            net, batch=n, n_steps=5, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
        )
        learner.run(x[None], np.zeros(1, int), np.zeros((1, n), int), np.array([False]), key=(1,))
    here = np.concatenate([layer.samples("o") for layer in learner.layers[1:]], axis=2)
    block = nsnn.simulate(
        net, stimulus=nsnn.Constant(x), trials=n, duration=5 * ms, dt=1 * ms, seed=2, engine="numpy"
    )
    there = np.zeros_like(here)
    for trial, segment in enumerate(block.segments):
        for neuron in range(6):
            ticks = np.rint(segment.spiketrains[3 + neuron].rescale("ms").magnitude).astype(int)
            there[trial, ticks, neuron] = 1
    error = np.sqrt((here.var(0) + there.var(0)) / n)
    z = (here.mean(0) - there.mean(0))[error > 0] / error[error > 0]
    assert z.size > 20
    assert np.abs(z).max() < 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "transport",
        pytest.param("random", marks=pytest.mark.slow),
        pytest.param("broadcast", marks=pytest.mark.slow),
    ],
)
def test_a_separable_problem_is_learned(kind):
    fit = fit_of(net_of(rule={"signal": kind}), epochs=20)
    other = problem(200, seed=9)
    after = fit.evaluate(other, passes=2)
    assert after["accuracy"] > 0.95
    assert fit.history["val_accuracy"].iloc[-1] > 0.9
    assert fit.history["loss"].iloc[-1] < 0.5 * fit.history["loss"].iloc[0]
    still = fit_of(net_of(eta=0.0), epochs=3)
    assert still.evaluate(other, passes=2)["accuracy"] < after["accuracy"] - 0.15
    assert all(
        np.array_equal(a, b) for a, b in zip(still.network.get_weights(), net_of().get_weights(), strict=True)
    )


@pytest.mark.slow
def test_same_seed_same_weights_and_the_network_is_left_alone():
    net = net_of()
    before = net.get_weights()
    a, b, c = fit_of(net), fit_of(net), fit_of(net, seed=5)
    assert same(a, b)
    assert not same(a, c)
    assert all(np.array_equal(p, q) for p, q in zip(net.get_weights(), before, strict=True))
    assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds"))


@pytest.mark.parametrize("validation", [0, 0.2, problem(30, seed=3)], ids=["none", "share", "own"])
def test_every_training_sample_is_shown_once_an_epoch(validation, monkeypatch):
    shown = []
    inner = Learner.run

    def run(self, values, labels, order, learns, **kw):
        shown.append((order[learns], order[~learns], kw["key"]))
        return inner(self, values, labels, order, learns, **kw)

    monkeypatch.setattr(Learner, "run", run)
    fit = fit_of(epochs=2, validation=validation)
    first, second = (np.sort(trained[trained >= 0]) for trained, *_ in shown)
    n_held = {0: 0, 0.2: 24}.get(validation, 30) if not isinstance(validation, tuple) else 30
    assert first.size == (120 if isinstance(validation, tuple) or not validation else 120 - n_held)
    assert np.array_equal(first, second)
    assert np.unique(first).size == first.size
    assert not np.array_equal(shown[0][0], shown[1][0])
    assert shown[0][2] != shown[1][2]  # noise anew in each epoch
    held = shown[0][1][shown[0][1] >= 0]
    assert abs(held.size - n_held) <= 1
    assert not np.isin(held, first).any()
    assert np.isnan(fit.history["val_loss"]).all() == (not n_held)


def test_history_holds_means_over_the_samples_as_they_were_learned_from(monkeypatch):
    (X, y), seen, inner = problem(40), [], Learner.run

    def run(self, values, labels, order, *args, **kw):
        result = inner(self, values, labels, order, *args, **kw)
        seen.append((order, self.layers[-1].samples("o")))
        return result

    monkeypatch.setattr(Learner, "run", run)
    fit = fit_of(epochs=1, data=(X, y), validation=0, batch=40)
    [(order, o)] = seen
    row = fit.history.iloc[0]
    assert row["loss"] == pytest.approx(float(losses.rate_mse.value(o, y[order[0]]).mean()), abs=1e-14)
    assert row["accuracy"] == pytest.approx(float((o.sum(1).argmax(1) == y[order[0]]).mean()), abs=1e-14)


@pytest.mark.slow
def test_evaluate_adds_the_spikes_of_its_passes_up():
    """What noise takes from one pass many give back; the error is over samples."""
    fit = fit_of(epochs=10, n_steps=2)
    X, y = problem(50, seed=8)
    once = fit.evaluate((X, y), seed=2)
    assert once == fit.evaluate((X, y), seed=2)
    many = fit.evaluate((X, y), passes=30, seed=2)
    for found in (once, many):
        p = found["accuracy"]
        assert found["se"] == pytest.approx(np.sqrt(p * (1 - p) / 49), abs=1e-12)
    assert once["accuracy"] < many["accuracy"]
    assert np.isnan(fit.evaluate((X[:1], y[:1]))["se"])


def fired(block):
    """(n_trials, n_steps, n_neurons) of a Block with steps of 1 ms."""
    found = as_trains(block)
    o = np.zeros((len(block.segments), round(found.t_stop[0] * 1e3), found.n_neurons))
    o[found.trial, np.rint(found.times * 1e3).astype(int), found.neuron] = 1
    assert o.sum() == found.times.size
    return o


@pytest.mark.slow
@pytest.mark.parametrize("n", [32, 37])
def test_spikes_are_those_that_evaluate_counts(n):
    fit = fit_of(n_steps=5)
    X, y = problem(n, seed=8)
    block = fit.spikes((X, y), layers="layer2", passes=3, seed=2)
    count = fired(block).sum(1).reshape(3, n, 3).sum(0)
    expected = fit.evaluate((X, y), passes=3, seed=2)
    assert (count.argmax(1) == y).mean() == expected["accuracy"]
    loss = losses.rate_mse.value(fired(block), np.tile(y, 3))
    assert loss.mean() == pytest.approx(expected["loss"], abs=1e-14)
    told = [s.annotations for s in block.segments]
    assert [a["sample"] for a in told] == [*range(n)] * 3
    assert [a["label"] for a in told] == [*y] * 3
    assert [a["repeat"] for a in told] == np.repeat([0, 1, 2], n).tolist()
    assert np.array_equal(fired(block), fired(fit.spikes((X, y), layers=["layer2"], passes=3, seed=2)))
    assert not np.array_equal(fired(block), fired(fit.spikes((X, y), layers="layer2", passes=3, seed=3)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "target", ["numpy", pytest.param("cython", marks=[pytest.mark.compile, pytest.mark.slow])]
)
def test_spikes_follow_from_those_of_the_layer_below(target):
    """Without noise, by the neuron's own equation: neurons, steps, samples and weights are where they belong."""
    rule = nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.02, optimizer=nsnn.Adam())
    net = nsnn.feedforward([6, 12, 3], seed=1, noise=None, plasticity=rule)
    fit = fit_of(net, engine=target)
    X, y = problem(300, seed=8)
    block = fit.spikes((X, y))
    assert block.annotations["populations"] == [
        {"name": "input", "size": 6}, {"name": "layer1", "size": 12}, {"name": "layer2", "size": 3},
    ]  # fmt: skip
    o = fired(block)
    for below, here, w, population in zip(
        (o[..., :6], o[..., 6:18]), (o[..., 6:18], o[..., 18:]), fit.network.get_weights(),
        fit.network.populations[1:], strict=True,
    ):  # fmt: skip
        assert 0.02 < here.mean() < 0.9
        beta, theta = population.neuron.beta, population.neuron.theta
        u = last = np.zeros(here.shape[::2])
        for t in range(8):
            u = beta * u * (1 - last) + below[:, t] @ w
            last = here[:, t]
            clear = np.abs(u - theta) > 1e-9  # sums in another order
            assert np.array_equal((u > theta)[clear], last[clear] > 0)
    share, p = o[..., :6].sum((0, 1)), X.sum(0) * 8
    assert (np.abs(share - p) / np.sqrt((X * (1 - X)).sum(0) * 8) < 4).all()


def test_spikes_refuse_layers_that_are_not_there():
    fit = fit_of(epochs=1)
    for layers in ("hidden", ["layer1", "layer3"], [], 1):
        with pytest.raises(
            NsnnError, match=r"layers = .*expected names of populations, of input, layer1, layer2"
        ):
            fit.spikes(problem(5), layers=layers)
    with pytest.raises(NsnnError, match="passes = 0"):
        fit.spikes(problem(5), passes=0)


@pytest.mark.slow
def test_the_block_is_saved_and_loaded(tmp_path):
    fit = fit_of(validation=0)
    again = nsnn.load(nsnn.save(fit.block, tmp_path / "fit.nwb"))
    assert len(again.segments[0].spiketrains) == 0
    # outside of a clone the git revision is None, and a file has nothing for it
    given = {name: value for name, value in fit.block.annotations.items() if value is not None}
    assert dumps(dict(again.annotations)) == dumps(given)
    assert (again.name, again.segments[0].name) == ("training", "training")
    for one, two in zip(fit.block.segments[0].analogsignals, again.segments[0].analogsignals, strict=True):
        assert (one.name, one.t_start, one.sampling_rate) == (two.name, two.t_start, two.sampling_rate)
        assert one.magnitude.tobytes() == two.magnitude.tobytes()  # NaN of no validation too
    twice = nsnn.load(nsnn.save(again, tmp_path / "again.nwb"))
    assert len(twice.segments[0].analogsignals) == len(fit.block.segments[0].analogsignals)
    fit.block.segments[0].analogsignals.clear()
    with pytest.raises(NsnnError, match="neither spike trains nor analog signals"):
        nsnn.save(fit.block, tmp_path / "empty.nwb")


@pytest.mark.slow
def test_a_schedule_begins_with_eta_and_changes_it():
    fit = fit_of(epochs=2, schedule="cosine")
    steady = fit_of(epochs=2)
    assert fit.history["loss"][0] == steady.history["loss"][0]
    assert not same(fit, steady)


@pytest.mark.slow
def test_patience_ends_training_and_returns_the_best_weights():
    net = net_of(eta=3.0)  # too large: it gets worse soon
    stopped = fit_of(net, epochs=30, patience=2)
    loss = stopped.history["val_loss"].to_numpy()
    assert len(loss) < 30
    assert stopped.best_epoch == loss.argmin() + 1
    assert len(loss) == stopped.best_epoch + 2
    assert same(stopped, fit_of(net, epochs=stopped.best_epoch))


def test_progress_is_told():
    seen = []
    fit_of(epochs=2, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)


def test_the_block_remembers_weights_and_history():
    fit = fit_of()
    signals = {s.name: s for s in fit.block.segments[0].analogsignals}
    for name, before, after in zip(
        fit.network.projection_names, net_of().get_weights(), fit.network.get_weights(), strict=True
    ):
        values = signals[f"weight of {name}"].magnitude
        np.testing.assert_array_equal(values, [before.ravel(), after.ravel()])
    np.testing.assert_array_equal(signals["val_loss"].magnitude[:, 0], fit.history["val_loss"])
    assert fit.block.annotations["seed"] == 4
    assert fit.block.annotations["parameters"]["batch"] == 16


# --- checkpoints


@pytest.mark.slow
def test_interrupted_and_resumed_equals_uninterrupted(tmp_path):
    path, whole = tmp_path / "fit.npz", fit_of(epochs=4)
    fit_of(epochs=2, checkpoint=path)
    with np.load(path, allow_pickle=False) as file:
        assert all(file[name].dtype != object for name in file.files)
    resumed = fit_of(epochs=4, checkpoint=path)
    assert same(resumed, whole)
    assert resumed.history.drop(columns="seconds").equals(whole.history.drop(columns="seconds"))
    assert same(fit_of(epochs=4, checkpoint=path), whole)  # nothing left to do
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]


KILLED = """
import sys
sys.path.insert(0, sys.argv[2])
from nsnn_neuro.learning import checkpoint
inner = checkpoint.write_checkpoint
def write(*args):
    inner(*args)
    print("epoch", flush=True)
checkpoint.write_checkpoint = write
from helpers.training import fit_of
fit_of(epochs=10000, checkpoint=sys.argv[1], engine=sys.argv[3])
"""


@pytest.mark.slow
@pytest.mark.compile
def test_killed_three_times_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    """Each child goes on from where the one before was killed: some epochs, and a random part of one, later."""
    path, here, target = tmp_path / "fit.npz", Path(__file__).resolve().parents[1], "cython"
    environment = os.environ | {"PYTHONPATH": str(here.parent)}
    parts, after = np.random.default_rng(6).random(3), []
    for n_epochs, part in zip((2, 3, 2), parts, strict=True):
        child = subprocess.Popen(
            [sys.executable, "-c", KILLED, str(path), str(here), target],
            env=environment,
            stdout=subprocess.PIPE,
        )
        watchdog = threading.Timer(90, child.kill)
        watchdog.start()
        try:
            told = []
            for _ in range(n_epochs):
                assert child.stdout.readline() == b"epoch\n"
                told.append(time.monotonic())
            time.sleep(part * (told[-1] - told[-2]))
        finally:
            watchdog.cancel()
            child.kill()  # SIGKILL
            child.wait()
            child.stdout.close()
        assert child.returncode == -signal.SIGKILL
        arrays, about = read_checkpoint(path)
        assert about["epoch"] >= n_epochs + (after[-1][1] if after else 0)
        after.append((arrays, about["epoch"]))
    kept = {}

    def write(path, arrays, about):
        kept[about["epoch"]] = {name: values.copy() for name, values in arrays.items()}
        write_checkpoint(path, arrays, about)

    last = after[-1][1] + 2
    resumed = fit_of(epochs=last, checkpoint=path, engine=target)
    monkeypatch.setattr("nsnn_neuro.learning.checkpoint.write_checkpoint", write)
    whole = fit_of(epochs=last, checkpoint=tmp_path / "whole.npz", engine=target)
    assert same(resumed, whole)
    for arrays, epoch in after:
        assert arrays.keys() == kept[epoch].keys()
        assert all(np.array_equal(values, kept[epoch][name]) for name, values in arrays.items())


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples_beyond_the_data(monkeypatch):
    """X is kept twice (as given, checked; as a run's values), numbers of each sample beside it; no spikes or membranes."""
    rng, width = np.random.default_rng(0), 40
    net = nsnn.feedforward([width, 30, 2], noise=NOISE, plasticity=nsnn.NDL(0.01), seed=1)

    def peak(n):
        data = rng.random((n, width)), np.arange(n) % 2
        tracemalloc.start()
        try:
            train(net, data, loss=losses.rate_mse, epochs=1, batch=32, n_steps=20, seed=1, engine="numpy")
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(64)  # what Brian2 makes once
    few, many = 128, 1024
    grown = (peak(many) - peak(few)) / ((many - few) * width * 8)
    assert grown < 3
    init = Learner.__init__

    def hoarding(self, *args, **kw):
        init(self, *args, **kw)
        self.record()

    monkeypatch.setattr(Learner, "__init__", hoarding)
    assert (peak(many) - peak(few)) / ((many - few) * width * 8) > 5


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"n_steps": 9}, "n_steps"), ({"batch": 8}, "batch"), ({"loss": losses.cross_entropy_mean}, "loss"), ({"seed": 5}, "seed"),
        ({"data": problem(seed=1)}, "other data"), ({"net": net_of(eta=0.03)}, "model"), ({"schedule": "cosine"}, "schedule"),
        ({"encoder": coding.Direct()}, "encoder"), ({"validation": 0.3}, "other data"),
    ],
)  # fmt: skip
def test_a_changed_configuration_is_refused(change, named, tmp_path):
    path = tmp_path / "fit.npz"
    fit_of(epochs=1, checkpoint=path)
    before = path.read_bytes()
    with pytest.raises(NsnnError, match=f"of another configuration .*{named}"):
        fit_of(epochs=2, checkpoint=path, **change)
    assert path.read_bytes() == before


def test_fewer_epochs_and_damaged_files_are_refused(tmp_path):
    path = tmp_path / "fit.npz"
    fit_of(epochs=2, checkpoint=path)
    with pytest.raises(NsnnError, match="epochs = 1: the checkpoint has 2"):
        fit_of(epochs=1, checkpoint=path)
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"PK\x03\x04 no"):
        path.write_bytes(damaged)
        with pytest.raises(FormatError, match="not a checkpoint of train, or damaged"):
            fit_of(epochs=3, checkpoint=path)


def test_weights_that_are_not_finite_stop_it_and_the_last_good_checkpoint_stays(tmp_path, monkeypatch):
    path, inner, calls = tmp_path / "fit.npz", Learner.run, []

    def run(self, *args, **kw):
        calls.append(1)
        return inner(self, *args, **(kw | {"eta": 1e308 * 1e3 if len(calls) == 3 else 1.0}))

    monkeypatch.setattr(Learner, "run", run)
    with pytest.raises(
        NsnnError, match=r"epoch 3: weights of 'input->layer1' aren't finite .* is that of epoch 2"
    ):
        fit_of(epochs=5, checkpoint=path)
    arrays, about = read_checkpoint(path)
    assert about["epoch"] == 2
    assert all(np.isfinite(a).all() for a in arrays.values())


# --- mistakes


PAIRS = nsnn.PairSTDP(A_plus=0.1, A_minus=0.1, tau_plus=20 * ms, tau_minus=20 * ms)
HAZARD = nsnn.EscapeNoise(None, hazard=nsnn.ExponentialHazard(10 * Hz, 0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": (problem()[0], problem()[1] + 1)}, "from 1 to 3: expected 0 to 2, .*; they count from 1: give y - 1"),
        ({"data": (problem()[0], 3 * problem()[1])}, "from 0 to 6: .* number the classes: names, y = numpy.unique"),
        ({"data": (problem()[0], np.arange(120))}, "these are 120 classes, which need as many output neurons"),
        ({"data": (problem()[0], np.array(list("abc"))[problem()[1]])}, "<U1: expected .*; number the classes: names, y ="),
        ({"data": (problem()[0], np.eye(3)[problem()[1]])}, r"of one-hot rows give y.argmax\(axis=1\)"),
        ({"data": (problem()[0], problem()[1] + 0.5)}, "bin a continuous target"),
        ({"data": (problem()[0], problem()[1] - 1)}, "y has labels from -1 to 1: expected 0 to 2"),
        ({"data": (problem()[0], problem()[1] / 1)}, "y has shape .* float64: expected whole numbers.*give y.astype\\(int\\)"),
        ({"data": (problem()[0], problem()[1][1:])}, r"y has shape \(119,\)"),
        ({"data": (problem()[0] * 16, problem()[1])}, "X has values from .* expected values from 0 to 1"),
        ({"data": (problem()[0] * np.nan, problem()[1])}, "X has 720 NaN among 720 values, the first in sample 0"),
        ({"data": (problem()[0][:, 1:], problem()[1])}, r"X has shape \(120, 5\).*\(n, 6\)"),
        ({"data": problem()[0]}, "data = ndarray: expected a pair"),
        ({"loss": losses.RateMSE}, "loss = <class .*: expected a loss"),
        ({"encoder": "rate"}, "encoder = 'rate': expected an encoder"),
        ({"epochs": 0}, "epochs = 0: expected a whole number"),
        ({"batch": 1.5}, "batch = 1.5: expected a whole number"),
        ({"validation": 1.0}, "validation = 1.0: expected a share"),
        ({"schedule": "step"}, "schedule = 'step': expected one of 'constant'"),
        ({"engine": "cpp"}, "engine = 'cpp': training runs on"),
        ({"patience": 2, "validation": 0}, "patience = 2: expected None without validation"),
        ({"checkpoint": "nowhere/at/all.npz"}, "expected a file in a folder that exists"),
        ({"checkpoint": "x.npz", "seed": None}, "seed = None with a checkpoint"),
        ({"seed": -1}, "seed = -1"),
        ({"net": 3}, "net = 3: expected a Network"),
        ({"net": nsnn.feedforward([6, 3], noise=NOISE)}, "'input->layer1': plasticity = None, expected a rule such as NDL"),
        ({"net": nsnn.feedforward([6, 3], noise=None, plasticity=nsnn.NDL(0.1))}, "noise = None: .* give it EscapeNoise"),
        ({"net": nsnn.feedforward([6, 3], noise=HAZARD, plasticity=nsnn.NDL(0.1))}, "a hazard has no density per step"),
        (
            {"net": nsnn.feedforward([6, 3], noise=nsnn.DoubleNoise(0.3), plasticity=nsnn.NDL(0.1))},
            "noise = DoubleNoise.*: expected EscapeNoise",
        ),
        (
            {"net": nsnn.feedforward([6, 3], noise=NOISE, plasticity=nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.1))},
            "a surrogate is for a neuron without noise",
        ),
        (
            {"net": nsnn.feedforward([6, 3], noise=NOISE, plasticity=PAIRS)},
            "expected a rule that goes down a loss",
        ),
        ({"net": nsnn.Network(nsnn.feedforward([6, 3], noise=NOISE).populations)}, "expected layers, as feedforward"),
    ],
)  # fmt: skip
def test_mistakes_are_named(change, message):
    with pytest.raises(NsnnError, match=message):
        fit_of(**({"net": None} | change))


def test_a_run_changes_the_weights_after_each_batch_the_last_too():
    net = nsnn.feedforward(
        [6, 12, 3], noise=None, seed=1, plasticity=nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.1)
    )
    X, y = problem()

    def weights(runs):
        with running("numpy"):
            learner = Learner(
                net, batch=2, n_steps=3, encoder=coding.Direct(), loss=losses.rate_mse, feedback=None
            )
            found = []
            for order in runs:
                learner.run(X, y, np.array(order), np.ones(len(order), bool), key=(1,))
                found.append(learner.weights[0].copy())
            return found

    together, (first, second, third) = (
        weights([[[0, 1], [2, 3], [4, 5]]]),
        weights([[[0, 1]], [[2, 3]], [[4, 5]]]),
    )
    np.testing.assert_array_equal(together[0], third)
    assert not np.array_equal(first, second)
    assert not np.array_equal(second, third)


def test_a_learner_runs_again_with_samples_of_another_number():
    with running("numpy"):
        learners = [
            Learner(
                net_of(), batch=2, n_steps=3, encoder=coding.Bernoulli(), loss=losses.rate_mse, feedback=None
            )
            for _ in range(2)
        ]
        X, y = problem()
        quiet = np.zeros(1, bool)
        learners[0].run(X[:4], y[:4], np.array([[2, 3]]), quiet, key=(7,))
        again = learners[0].run(X, y, np.array([[4, 5], [0, 1]]), np.zeros(2, bool), key=(1,))
        fresh = learners[1].run(X, y, np.array([[4, 5], [0, 1]]), np.zeros(2, bool), key=(1,))
    np.testing.assert_array_equal(again[1], fresh[1])
    np.testing.assert_array_equal(again[0], fresh[0])


WITHOUT_REFERENCE = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name == "nsnn_neuro.reference":
            raise ImportError("reference is gone")
sys.meta_path.insert(0, Block())
import nsnn_neuro as package
import numpy as np
net = package.feedforward([2, 2], noise=package.EscapeNoise(package.Gaussian(0.4)), plasticity=package.NDL(0.5))
data = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
fit = package.train(net, data, loss=package.losses.rate_mse, epochs=2, seed=1, engine="numpy")
assert not any("reference" in name for name in sys.modules if name.startswith("nsnn_neuro"))
print("trained", len(fit.history))
"""


@pytest.mark.slow
def test_training_runs_with_the_reference_deleted():
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_REFERENCE],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "trained 2", done.stderr[-2000:]


@pytest.mark.slow
@pytest.mark.compile
def test_compiled_training_gives_the_same_history_and_resumes_bit_for_bit(tmp_path):
    numpy, cython = fit_of(epochs=4), fit_of(epochs=4, engine="cython")
    # rounding differs; no draw of these fell between
    assert largest(cython.network.get_weights(), numpy.network.get_weights()) < 1e-9
    fit_of(epochs=2, engine="cython", checkpoint=tmp_path / "fit.npz")
    assert same(fit_of(epochs=4, engine="cython", checkpoint=tmp_path / "fit.npz"), cython)


def test_a_second_learner_is_the_same_text_as_the_first():
    """So what was compiled once is found again, though the first isn't collected yet."""
    net = net_of()
    names = []
    with running("numpy"):
        learners = [
            Learner(net, batch=4, n_steps=3, encoder=coding.Bernoulli(), loss=losses.rate_mse, feedback=None)
            for _ in range(2)
        ]
        for learner in learners:
            groups = [*learner.learning, *learner.members, learner.trainer]
            names.append([(g.name, g.clock.name, *(o.name for o in g.contained_objects)) for g in groups])
    assert names[0] == names[1]


def test_spikes_that_were_not_binned_are_named():
    net = nsnn.feedforward([3, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.5))
    times = np.sort(np.random.default_rng(1).uniform(0, 1, (8, 3)))
    options = {"loss": losses.rate_mse, "epochs": 1, "seed": 1, "engine": "numpy", "validation": 0}
    block = nsnn.to_block([[one] for one in times], t_stop=1 * second)
    ragged = [list(one[: k % 3 + 1]) for k, one in enumerate(times)]
    for X in (block, ragged):
        with pytest.raises(
            NsnnError, match=r"X has shape .*, object: .*; of spikes make sequences: measures.words\("
        ):
            train(net, (X, np.arange(8) % 2), **options)
    with pytest.warns(
        UserWarning,
        match="the values of every row of X ascend, as spike times do: .* if these are spike times, make",
    ):
        fit = train(net, (times, np.arange(8) % 2), **options)
    with pytest.raises(
        AttributeError, match=r"no attribute 'predict'; probabilities\(X\).argmax\(axis=1\) are guesses"
    ):
        fit.predict(times)


def test_missing_values_are_named():
    net = nsnn.feedforward([2, 2], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.5))
    X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
    X[3:5, 1] = np.nan
    with pytest.raises(
        NsnnError, match="X has 2 NaN among 80 values, the first in sample 3: expected values from 0 to 1"
    ):
        train(net, (X, y), loss=losses.rate_mse, epochs=1, keep="last", seed=1, engine="numpy")
