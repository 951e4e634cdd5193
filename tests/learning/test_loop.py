"""The training loop that `train`, `deep.fit` and `fit_network` share, with a trainer of two numbers: every case in milliseconds."""

from __future__ import annotations

import contextlib

import numpy as np
import pytest

from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.learning import Diverged, Scores, TrainingLoop

LABELS = np.arange(20) % 2
VALIDATION_LOSS = [5.0, 3.0, 4.0, 2.0, 2.5, 6.0, 7.0]


class Counter:
    """A trainer whose weight is the number of epochs; its validation losses are given."""

    def __init__(self, losses=VALIDATION_LOSS, breaks_in=None):
        self.w, self.momentum, self.losses, self.breaks_in = np.zeros(2), np.zeros(2), losses, breaks_in
        self.orders, self.rates = [], []

    def run_epoch(self, epoch):
        self.w += 1
        self.momentum -= 1
        self.orders.append(epoch.samples)
        self.rates.append(epoch.eta)
        if epoch.report is not None:
            epoch.report(1.0)
        held = None if self.losses is None else Scores(np.array([self.losses[epoch.number]]))
        return Scores(np.array([1.0, 3.0]), np.array([True, False])), held

    def check(self):
        if self.breaks_in is not None and self.w[0] == self.breaks_in:
            raise Diverged("weights aren't finite, expected a smaller eta")
        return {"further": float(self.w[0])}

    def learned(self):
        return {"weights_0": self.w}

    def state(self):
        return {"state_0_m": self.momentum}, {"plain": {"k": 1}}

    def restore(self, arrays, about):
        self.w[:], self.momentum[:] = arrays["weights_0"], arrays["state_0_m"]
        assert about["plain"] == {"k": 1}

    @contextlib.contextmanager
    def opened(self):
        yield self


def run(trainer=None, *, y=LABELS, validation=0.2, described=None, progress=False, **options):
    """The outcome of a loop, with the trainer and the loop."""
    trainer = trainer or Counter()
    loop = TrainingLoop(**{"epochs": 7, "seed": 1, "columns": ["further"]} | options)
    loop.split(y, validation)
    loop.identify(described or {"model": "counter"}, y)
    start = {name: values.copy() for name, values in trainer.learned().items()}
    return loop.run(start, trainer.opened, lambda outcome: outcome, progress), trainer, loop


@pytest.mark.parametrize(
    "y", [np.repeat([0, 1, 2], [20, 30, 50]), np.zeros((100, 3, 2))], ids=["labels", "spikes"]
)
def test_validation_is_a_share_of_each_label_or_of_all_samples(y):
    splits = [run(y=y, seed=seed)[2] for seed in (1, 2)]
    for loop in splits:
        assert loop.held_out.size == 20
        if y.ndim == 1:
            assert np.bincount(y[loop.held_out]).tolist() == [4, 6, 10]
        assert np.array_equal(np.sort(np.r_[loop.held_out, loop.trained]), np.arange(100))
    assert not np.array_equal(splits[0].held_out, splits[1].held_out)


def test_every_epoch_has_the_same_samples_in_another_order():
    _, trainer, loop = run()
    assert all(np.array_equal(np.sort(order), loop.trained) for order in trainer.orders)
    assert len({tuple(order) for order in trainer.orders}) == 7


def test_the_history_holds_means_and_the_trainers_columns():
    history = run()[0].history
    assert history.columns.tolist() == [
        "epoch",
        "loss",
        "accuracy",
        "val_loss",
        "val_accuracy",
        "seconds",
        "further",
    ]
    assert history.epoch.tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert history.loss.tolist() == [2.0] * 7
    assert history.accuracy.tolist() == [0.5] * 7
    assert history.val_loss.tolist() == VALIDATION_LOSS
    assert history.val_accuracy.isna().all()
    assert history.further.tolist() == [1, 2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(
    ("options", "best", "epochs_run"),
    [
        ({"keep": "best"}, 4, 7),
        ({"keep": "last"}, 7, 7),
        ({"keep": "best", "patience": 2}, 4, 6),
        ({"keep": "last", "patience": 2}, 6, 6),
        ({"keep": "best", "patience": 1}, 2, 3),
        ({}, 4, 7),
    ],
    ids=str,
)
def test_patience_stops_and_keep_chooses_the_weights(options, best, epochs_run):
    outcome = run(**options)[0]
    assert (outcome.best_epoch, len(outcome.history)) == (best, epochs_run)
    assert outcome.arrays["weights_0"].tolist() == [best, best]


def test_without_validation_the_best_epoch_is_the_last():
    assert run(Counter(None), validation=0)[0].best_epoch == 7
    with pytest.raises(NsnnError, match="patience = 2: expected None without validation"):
        run(Counter(None), validation=0, patience=2)


def test_a_validation_loss_that_is_not_a_number_is_no_best_epoch():
    outcome, _, _ = run(Counter([5.0, 3.0, np.nan, 4.0, 6.0, 7.0, np.nan]), keep="best")
    assert outcome.best_epoch == 2
    assert np.array_equal(outcome.arrays["weights_0"], [2.0, 2.0])


def test_a_schedule_is_a_factor_of_the_learning_rate():
    assert run()[1].rates == [1.0] * 7
    rates = run(schedule="cosine")[1].rates
    np.testing.assert_allclose(rates, 0.5 * (1 + np.cos(np.pi * np.arange(7) / 7)), rtol=1e-15)


@pytest.mark.parametrize("keep", ["best", "last"])
def test_resumed_equals_uninterrupted(tmp_path, keep):
    path = tmp_path / "c.npz"
    expected, at_once, _ = run(keep=keep)
    run(keep=keep, epochs=3, checkpoint=path)
    resumed, trainer, _ = run(keep=keep, checkpoint=path)
    assert trainer.momentum.tolist() == at_once.momentum.tolist() == [-7, -7]
    assert len(trainer.orders) == 4
    assert all(map(np.array_equal, trainer.orders, at_once.orders[3:]))
    again, idle, _ = run(keep=keep, checkpoint=path)
    assert idle.orders == []
    for one in (resumed, again):
        assert one.best_epoch == expected.best_epoch
        assert np.array_equal(one.arrays["weights_0"], expected.arrays["weights_0"])
        assert one.history.drop(columns="seconds").equals(expected.history.drop(columns="seconds"))


def test_training_that_runs_away_leaves_the_fit_and_checkpoint_of_the_epoch_before(tmp_path):
    path = tmp_path / "c.npz"
    with pytest.raises(
        Diverged, match=r"^epoch 3: weights aren't finite.*; .*c.npz is that of epoch 2"
    ) as caught:
        run(Counter(breaks_in=3), checkpoint=path)
    assert len(caught.value.fit.history) == caught.value.fit.best_epoch == 2
    assert caught.value.fit.arrays["weights_0"].tolist() == [2, 2]
    assert run(epochs=2, checkpoint=path)[0].arrays["weights_0"].tolist() == [2, 2]
    with pytest.raises(Diverged, match=r"^epoch 1: [^;]*$") as caught:
        run(Counter(breaks_in=1))
    assert caught.value.fit.arrays["weights_0"].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"described": {"model": "other"}}, "of another configuration .model changed"),
        ({"y": np.arange(20) % 3}, "other data or epochs changed"),
        ({"schedule": "cosine"}, "other data or epochs changed"),
        ({"epochs": 2}, "epochs = 2: the checkpoint has 3"),
        ({"seed": None}, "seed = None with a checkpoint"),
        ({"checkpoint": "nowhere/c.npz"}, "expected a file in a folder that exists"),
        ({"epochs": 0}, "epochs = 0: expected a whole number"),
        ({"patience": 0}, "patience = 0: expected a whole number"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"keep": "bets"}, "did you mean 'best'"),
        ({"validation": 1.0}, "validation = 1.0: expected a share"),
    ],
    ids=str,
)
def test_what_does_not_fit_is_refused(tmp_path, options, message):
    path = tmp_path / "c.npz"
    run(epochs=3, checkpoint=path)
    with pytest.raises(NsnnError, match=message):
        run(**{"checkpoint": path} | options)


def test_a_checkpoint_of_other_weights_is_damaged(tmp_path):
    path = tmp_path / "c.npz"
    run(epochs=3, checkpoint=path)
    other = Counter()
    other.w = np.zeros(3)
    with pytest.raises(FormatError, match=r"expected an array 'weights_0' of shape \(3,\)"):
        run(other, checkpoint=path)


def test_progress_is_the_fraction_of_all_epochs():
    seen = []
    run(epochs=4, progress=seen.append)
    assert seen == [0.25, 0.5, 0.75, 1.0]
