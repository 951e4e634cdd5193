"""Saved fits: they evaluate identically, and what isn't one is refused without running anything."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import binomtest

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError, coding, losses
from nsnn_neuro.core.results import write_npz
from nsnn_neuro.learning import fit_files, write_checkpoint
from nsnn_neuro.measures import as_trains

NOISE = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
X = np.random.default_rng(1).random((12, 2))
Y = np.arange(12) % 2
TARGETS = (np.random.default_rng(2).random((12, 6, 2)) < 0.4).astype(float)


def trained(net: nsnn.Network, y: Any = Y, **options: Any) -> nsnn.Fit:
    given = {"loss": losses.rate_mse, "epochs": 2, "batch": 4, "n_steps": 6, "keep": "best", "seed": 1}
    return nsnn.train(net, (X, y), engine="numpy", progress=False, **{**given, **options})


def plain() -> nsnn.Fit:
    return trained(nsnn.feedforward([2, 3, 2], noise=NOISE, plasticity=nsnn.NDL(0.1)))


def recurrent() -> nsnn.Fit:
    """Every option that is saved in a form of its own."""
    rule = nsnn.NDL(0.1, signal="broadcast", optimizer=nsnn.Adam(beta_1=0.8), eta_noise=0.05)
    net = nsnn.recurrent(
        16, 3, 2, noise=NOISE, plasticity=rule, neuron=nsnn.NSNNNeuron(beta=0.9, reset="subtract")
    )
    return trained(net, loss=losses.CrossEntropyMean(3.0), encoder=coding.PopulationCode(np.int64(8)))


def deterministic() -> nsnn.Fit:
    rule = nsnn.SurrogateGradient(nsnn.FastSigmoid(4.0), 0.1)
    return trained(nsnn.feedforward([2, 3, 2], noise=None, plasticity=rule), encoder=coding.Direct(1.5))


def towards_spikes() -> nsnn.Fit:
    net = nsnn.feedforward([2, 3, 2], noise=NOISE, plasticity=nsnn.NDL(0.1))
    return trained(net, TARGETS, loss=losses.VanRossum(3.0), validation=0)


@pytest.mark.slow
@pytest.mark.parametrize("make", [recurrent, deterministic, towards_spikes])
def test_a_loaded_fit_is_the_saved_one(make, tmp_path):
    fit = make()
    again = nsnn.load_fit(fit.save(tmp_path / "fit.npz"))
    y = TARGETS if make is towards_spikes else Y
    assert again.evaluate((X, y), seed=3, passes=2) == fit.evaluate((X, y), seed=3, passes=2)
    a, b = (as_trains(one.spikes((X, y), seed=3)) for one in (again, fit))
    assert a.times.size
    assert np.array_equal(a.times, b.times)
    assert np.array_equal(a.neuron, b.neuron)
    if make is not towards_spikes:
        assert np.array_equal(again.probabilities(X, seed=3), fit.probabilities(X, seed=3))
    assert again.network.describe() == fit.network.describe()
    assert again.history.equals(fit.history)
    assert again.best_epoch == fit.best_epoch
    assert again.block.annotations == fit.block.annotations
    for one, other in zip(
        again.block.segments[0].analogsignals, fit.block.segments[0].analogsignals, strict=True
    ):
        assert one.name == other.name
        assert one.t_start == other.t_start
        assert one.sampling_rate == other.sampling_rate
        assert np.array_equal(one.magnitude, other.magnitude, equal_nan=True)


def test_a_loaded_fit_can_be_saved_and_trained_further(tmp_path):
    fit = recurrent()
    again = nsnn.load_fit(fit.save(tmp_path / "fit.npz"), engine="numpy")
    again.save(tmp_path / "again.npz")
    with np.load(tmp_path / "fit.npz") as one, np.load(tmp_path / "again.npz") as other:
        assert sorted(one) == sorted(other)
        assert all(np.array_equal(one[k], other[k], equal_nan=one[k].dtype.kind == "f") for k in one)
    options = {"loss": losses.CrossEntropyMean(3.0), "encoder": coding.PopulationCode(8)}
    assert trained(again.network, **options).history.loss.equals(trained(fit.network, **options).history.loss)


def test_every_public_type_that_can_be_trained_with_can_be_saved():
    """Looks at the table itself: a fit with each type would take a minute."""
    bases = (coding.Encoder, losses.Loss, nsnn.Optimizer, nsnn.Family)
    rooms = [nsnn, coding, losses]
    public = {getattr(room, name) for room in rooms for name in room.__all__ if name[0].isupper()}
    kinds = {kind for kind in public if isinstance(kind, type) and issubclass(kind, bases)} - set(bases)
    assert len(kinds) > 15
    assert kinds <= set(fit_files.TYPES.values())


@dataclasses.dataclass(frozen=True, eq=False)
class Flash(coding.Encoder):
    o = "x * int(k == 0)"


def test_an_own_class_is_refused_before_a_file_is_written(tmp_path):
    fit = trained(nsnn.feedforward([2, 2], noise=NOISE, plasticity=nsnn.NDL(0.1)), encoder=Flash())
    with pytest.raises(NsnnError, match=r"encoder = Flash\(\): a class of your own .* checkpoint="):
        fit.save(tmp_path / "fit.npz")
    assert list(tmp_path.iterdir()) == []


def changed(path: Path, change: Any) -> Path:
    """The file with other plain data or arrays, and their checksum."""
    with np.load(path) as file:
        arrays = dict(file)
    about = json.loads(str(arrays.pop("about")))
    del about["sha256"]
    change(about, arrays)
    new = path.with_name("changed.npz")
    write_npz(new, arrays, about, "path")
    return new


@pytest.fixture(scope="module")
def plain_fit() -> nsnn.Fit:
    return plain()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda about, arrays: about.update(batch=2**40), "the states of a batch: about .* pass a larger max_bytes to load_fit"),
        (lambda about, arrays: about["loss"].update(type="os.system"), "loss is of type 'os.system'"),
        (lambda about, arrays: about.update(encoder=about["loss"]), "encoder is of type 'RateMSE'"),
        (lambda about, arrays: about["populations"][1].update(n=2**31 - 1), "weight of 'input->layer1' has shape"),
        (lambda about, arrays: arrays["weights_0"].fill(np.nan), "NaN where a plain number"),
        (lambda about, arrays: arrays.update(weights_0=np.array(["a"])), "weights_0 has numbers of type"),
        (lambda about, arrays: about.update(feedback=True), "fixed feedback weights don't fit"),
        (lambda about, arrays: about.update(fit=2), "of format 2, expected 1"),
    ],
)  # fmt: skip
def test_content_that_does_not_fit_is_refused(change, message, tmp_path, plain_fit):
    path = plain_fit.save(tmp_path / "fit.npz")
    nsnn.load_fit(changed(path, lambda about, arrays: None))
    with pytest.raises(FormatError, match=f"(?s)not a fit that `fit.save` has written.*{message}"):
        nsnn.load_fit(changed(path, change))


def test_other_files_are_named(tmp_path, plain_fit):
    write_checkpoint(
        tmp_path / "ck.npz", {"weights_0": np.ones(2)}, {"config": "", "epoch": 0, "history": []}
    )
    with pytest.raises(FormatError, match="a checkpoint: call train with the same arguments"):
        nsnn.load_fit(tmp_path / "ck.npz")
    with zipfile.ZipFile(tmp_path / "z.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("about.npy", bytes(10**6))
    with pytest.raises(FormatError, match="compressed"):
        nsnn.load_fit(tmp_path / "z.npz")
    np.savez(tmp_path / "o.npz", about=np.array([object()], dtype=object))
    with pytest.raises(FormatError, match="not a fit"):
        nsnn.load_fit(tmp_path / "o.npz")
    with pytest.raises(FileNotFoundError):
        nsnn.load_fit(tmp_path / "none.npz")
    with pytest.raises(NsnnError, match=r"ends in \.npz"):
        nsnn.load_fit(tmp_path / "fit.pkl")
    fit = plain_fit
    with pytest.raises(NsnnError, match="there is no folder"):
        fit.save(tmp_path / "none" / "fit.npz")
    with pytest.raises(NsnnError, match=r"not a checkpoint of train"):
        trained(fit.network, checkpoint=fit.save(tmp_path / "fit.npz"))


def test_save_and_load_of_blocks_point_to_the_fits(tmp_path, plain_fit):
    fit = plain_fit
    for call in (
        lambda: nsnn.save(fit),
        lambda: nsnn.save(fit, tmp_path / "a.nwb"),
        lambda: nsnn.save(fit.network, tmp_path / "a.nwb"),
    ):
        with pytest.raises(NsnnError, match=r'fit\.save\("fit\.npz"\)'):
            call()
    with pytest.raises(FormatError, match="load_fit"):
        nsnn.load(fit.save(tmp_path / "fit.npz"))


@pytest.mark.slow
def test_spikes_take_samples_without_labels(plain_fit):
    fit = plain_fit
    alone, pair = fit.spikes(X, seed=2), fit.spikes((X, Y), seed=2)
    assert np.array_equal(as_trains(alone).times, as_trains(pair).times)
    assert as_trains(alone).times.size
    assert "label" not in alone.segments[1].annotations
    twice = [s.annotations for s in fit.spikes((X, Y), passes=2).segments]
    assert [a["label"] for a in twice] == [*Y, *Y]
    assert [a["sample"] for a in twice] == [*range(12)] * 2
    assert [a["repeat"] for a in twice] == [0] * 12 + [1] * 12
    assert len(fit.spikes([[0.1, 0.9], [0.9, 0.1]]).segments) == 2  # two samples, no pair
    towards = towards_spikes()
    a, b = (as_trains(towards.spikes(data, seed=2)) for data in (X, (X, TARGETS)))
    assert np.array_equal(a.times, b.times)


def test_the_interval_of_the_accuracy_is_wilsons(plain_fit):
    """scipy has it too; it has a width where all are right."""
    result = plain_fit.evaluate((X, Y), seed=3)
    interval = binomtest(round(result["accuracy"] * 12), 12).proportion_ci(method="wilson")
    assert (result["low"], result["high"]) == pytest.approx((interval.low, interval.high), abs=1e-12)
    assert plain_fit.evaluate((X[:9], Y[:9]))["chance"] == 5 / 9  # of label 0
    from nsnn_neuro.learning.accuracy import accuracy_of  # both ends, whatever a network learns

    for right in (0, 5, 8):
        found = accuracy_of(np.arange(8) < right)
        interval = binomtest(right, 8).proportion_ci(method="wilson")
        assert (found["low"], found["high"]) == pytest.approx((interval.low, interval.high), abs=1e-12)


def test_x_and_y_apart_are_answered_with_the_pair(plain_fit):
    with pytest.raises(NsnnError, match=r"train takes 2 .* data: the pair \(X, y\)"):
        nsnn.train(plain_fit.network, X, Y, loss=losses.rate_mse, epochs=1)  # type: ignore[misc]


def test_the_arrays_of_a_fit_count_for_max_bytes(tmp_path, plain_fit):
    path = plain_fit.save(tmp_path / "fit.npz")
    with pytest.raises(FormatError, match=r"of shape .*: about .* pass a larger max_bytes to load_fit"):
        nsnn.load_fit(path, max_bytes=2 * path.stat().st_size)
    nsnn.load_fit(path, max_bytes=1e8)
