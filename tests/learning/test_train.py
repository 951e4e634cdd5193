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
    fired,
    fit_of,
    gradients,
    net_of,
    problem,
    same,
)

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, coding, losses, reference, train
from nsnn_neuro.brian import running
from nsnn_neuro.io.json_codec import dumps
from nsnn_neuro.learning import Learner, read_checkpoint, write_checkpoint

LOSSES = losses.rate_mse, losses.cross_entropy_mean, losses.cross_entropy_step
# every family with two of the losses, signals, resets and paths
CASES = [
    (FAMILIES[k % 6], PATHS[(k + k // 6) % 4], SIGNALS[k % 3], LOSSES[(k + 2 * (k // 6)) % 3])
    for k in range(12)
] + [(FAMILIES[0], PATHS[0], SIGNALS[1], losses.margin)]


@pytest.mark.parametrize(("family", "case", "kind", "loss"), CASES)
def test_gradients_and_updates_are_the_references(family, case, kind, loss):
    """Also in a batch that isn't full, which is averaged over its samples."""
    reset, path = case
    rule = nsnn.NDL(0.1, signal=kind, reset_path=path)
    unfilled = loss is not losses.rate_mse
    found, expected, moved, _ = gradients(rule, family, reset, loss, feedback_of(kind), unfilled=unfilled)
    assert largest(found, expected) < 1e-10
    assert largest([m / 0.1 for m in moved], expected) < 1e-10


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


@pytest.mark.slow
def test_a_separable_problem_is_learned():
    """The same seed gives the same weights, and the network is left alone."""
    net = net_of()
    before = net.get_weights()
    fit = fit_of(net, epochs=20)
    other = problem(200, seed=9)
    after = fit.evaluate(other, passes=2)
    assert after["accuracy"] > 0.95
    assert fit.history["val_accuracy"].iloc[-1] > 0.9
    assert fit.history["loss"].iloc[-1] < 0.5 * fit.history["loss"].iloc[0]
    assert all(np.array_equal(p, q) for p, q in zip(net.get_weights(), before, strict=True))
    a, b, c = fit_of(net, epochs=1), fit_of(net, epochs=1), fit_of(net, epochs=1, seed=5)
    assert same(a, b)
    assert not same(a, c)
    assert a.history.drop(columns="seconds").equals(b.history.drop(columns="seconds"))
    still = fit_of(net_of(eta=0.0), epochs=1)
    assert still.evaluate(other, passes=2)["accuracy"] < after["accuracy"] - 0.15
    assert same(still, fit_of(net_of(eta=0.0), epochs=1, seed=5))


@pytest.mark.slow
def test_spikes_follow_from_those_of_the_layer_below():
    """Without noise, by the neuron's own equation: neurons, steps, samples and weights are where they belong."""
    rule = nsnn.SurrogateGradient(nsnn.Gaussian(0.4), 0.02, optimizer=nsnn.Adam())
    net = nsnn.feedforward([6, 12, 3], seed=1, noise=None, plasticity=rule)
    fit = fit_of(net, epochs=2)
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
    fit.block.segments[0].analogsignals.clear()
    with pytest.raises(NsnnError, match="neither spike trains nor analog signals"):
        nsnn.save(fit.block, tmp_path / "empty.nwb")


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
def test_killed_twice_and_resumed_equals_uninterrupted(tmp_path, monkeypatch):
    """Each child goes on from where the one before was killed: some epochs, and a random part of one, later."""
    path, here, target = tmp_path / "fit.npz", Path(__file__).resolve().parents[1], "numpy"
    environment = os.environ | {"PYTHONPATH": str(here.parent)}
    parts, after = np.random.default_rng(6).random(2), []
    for n_epochs, part in zip((2, 3), parts, strict=True):
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
    few, many = 128, 512
    grown = (peak(many) - peak(few)) / ((many - few) * width * 8)
    assert grown < 3
    init = Learner.__init__

    def hoarding(self, *args, **kw):
        init(self, *args, **kw)
        self.record()

    monkeypatch.setattr(Learner, "__init__", hoarding)
    assert (peak(many) - peak(few)) / ((many - few) * width * 8) > 5


def test_a_changed_configuration_is_refused(tmp_path):
    path = tmp_path / "fit.npz"
    fit_of(epochs=1, checkpoint=path)
    before = path.read_bytes()
    changes = [
        ({"n_steps": 9}, "n_steps"), ({"loss": losses.cross_entropy_mean}, "loss"), ({"seed": 5}, "seed"),
        ({"data": problem(seed=1)}, "other data"), ({"net": net_of(eta=0.03)}, "model"), ({"encoder": coding.Direct()}, "encoder"),
    ]  # fmt: skip
    for change, named in changes:
        with pytest.raises(NsnnError, match=f"of another configuration .*{named}"):
            fit_of(epochs=2, checkpoint=path, **change)
    assert path.read_bytes() == before


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


INPUTS, LABELS = problem()
PAIRS = nsnn.PairSTDP(A_plus=0.1, A_minus=0.1, tau_plus=20 * ms, tau_minus=20 * ms)
HAZARD = nsnn.EscapeNoise(None, hazard=nsnn.ExponentialHazard(10 * Hz, 0.1))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": (INPUTS, LABELS + 1)}, "from 1 to 3: expected 0 to 2, .*; they count from 1: give y - 1"),
        ({"data": (INPUTS, 3 * LABELS)}, "from 0 to 6: .* number the classes: names, y = numpy.unique"),
        ({"data": (INPUTS, np.arange(120))}, "these are 120 classes, which need as many output neurons"),
        ({"data": (INPUTS, np.array(list("abc"))[LABELS])}, "<U1: expected .*; number the classes: names, y ="),
        ({"data": (INPUTS, np.eye(3)[LABELS])}, r"of one-hot rows give y.argmax\(axis=1\)"),
        ({"data": (INPUTS, LABELS + 0.5)}, "bin a continuous target"),
        ({"data": (INPUTS, LABELS - 1)}, "y has labels from -1 to 1: expected 0 to 2"),
        ({"data": (INPUTS, LABELS / 1)}, "y has shape .* float64: expected whole numbers.*give y.astype\\(int\\)"),
        ({"data": (INPUTS, LABELS[1:])}, r"y has shape \(119,\)"),
        ({"data": (INPUTS * 16, LABELS)}, "X has values from .* expected values from 0 to 1"),
        ({"data": (INPUTS * np.nan, LABELS)}, "X has 720 NaN among 720 values, the first in sample 0"),
        ({"data": (INPUTS[:, 1:], LABELS)}, r"X has shape \(120, 5\).*\(n, 6\)"),
        ({"data": INPUTS}, "data = ndarray: expected a pair"),
        ({"loss": losses.RateMSE}, "loss = <class .*: expected a loss"),
        ({"encoder": "rate"}, "encoder = 'rate': expected an encoder"),
        ({"batch": 1.5}, "batch = 1.5: expected a whole number"),
        ({"engine": "cpp"}, "engine = 'cpp': training runs on"),
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


@pytest.mark.slow
@pytest.mark.compile
def test_compiled_training_gives_the_same_history_and_resumes_bit_for_bit(tmp_path):
    """Of weights, and of noise, beta and theta that are learned."""
    neurons = [
        nsnn.NSNNNeuron(beta=np.linspace(0.2, 0.8, 12), reset="subtract"),
        nsnn.NSNNNeuron(theta=[0.9, 1, 1.1]),
    ]
    rates = {"eta_noise": 0.05, "eta_beta": 0.05, "eta_theta": 0.05}
    path, net = tmp_path / "fit.npz", net_of(rule=rates, neuron=neurons)
    numpy, cython = fit_of(net, epochs=4), fit_of(net, epochs=4, engine="cython")
    # rounding differs; no draw of these fell between
    assert largest(cython.network.get_weights(), numpy.network.get_weights()) < 1e-9
    for kind in ("noise", "mean beta", "mean theta"):
        level = f"{kind} of {net.populations[1].name}"
        np.testing.assert_allclose(cython.history[level], numpy.history[level], rtol=1e-9)
    fit_of(net, epochs=2, engine="cython", checkpoint=path)
    assert same(fit_of(net, epochs=4, engine="cython", checkpoint=path), cython)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.npz"]


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
