"""The study of natural images: its claims on made-up tables, and a short run on images of noise."""

from __future__ import annotations

import argparse
import copy
import functools
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from helpers.studies import failing
from helpers.with_torch import own_noise  # noqa: F401
from scipy import stats

from analysis import __main__ as command
from analysis import natural_images as study
from analysis.natural_images import config, kept, simulation, verdicts
from analysis.shared import attack_protocol, intervals
from nsnn_neuro import NsnnError

SEEDS, RATES = (1, 2, 3, 4, 5), (3e-3,)


@functools.cache
def table(**gain: float) -> pd.DataFrame:
    """Accuracies that fall with the strength, with differences as the primary claims expect them, and a gain of each arm."""
    more = (
        dict.fromkeys(("D3", "N3", "D3aug", "MF3"), 0.0)
        | {"N-paper": -0.02, "D3adv": -0.1, "N3adv": -0.1}
        | gain
    )
    robust = {
        "N3": 0.06,
        "D3 noise on": 0.06,
        "N-paper": 0.1,
        "D3aug": 0.1,
        "D3adv": 0.1,
        "N3adv": 0.14,
    } | gain
    kinds: list[tuple[str, tuple[float, ...], tuple[int, ...]]] = [
        ("clean", (0,), (1, 10)), ("pixel noise", (0.05, 0.1), (1, 10)), ("occlusion", (8,), (1, 10)),
        *((kind, (0.1,), (1, 10)) for kind in config.INSIDE),
        ("FGSM, one draw", (2, 4), (1,)), ("sphere, Adam", (0.5,), (100,)), ("worst PGD", (2, 4), (100,)),
        ("attack", (2, 4), (10,)),
    ]  # fmt: skip
    rng, rows = np.random.default_rng(0), []
    for arm, seed, rate in itertools.product(verdicts.ARMS, SEEDS, RATES):
        base = 0.62 + 0.005 * seed + more.get(arm, -0.05) + 0.001 * rng.standard_normal()
        for kind, strengths, passes in kinds:
            for strength, k in itertools.product(strengths, passes):
                accuracy = base - 0.02 * strength
                if kind in ("worst PGD", "attack"):
                    accuracy = 0.3 - 0.05 * strength + robust.get(arm, 0.0) + 0.001 * rng.standard_normal()
                    accuracy -= 0.01 * (kind == "worst PGD")
                if kind == "pixel noise" and arm == "D3aug":
                    accuracy += 0.05
                row = dict.fromkeys(simulation.COLUMNS, np.nan) | {
                    "arm": arm, "seed": seed, "rate": rate, "kind": kind, "strength": float(strength), "passes": k,
                    "images": 2000 if kind == "clean" else 250, "accuracy": accuracy, "source": "", "loss": "", "right": "",
                }  # fmt: skip
                if kind == "attack":
                    row |= {"source": "itself", "width": 0.3, "draws": 1.0, "loss": "margin"}
                    row |= {"restarts": 5.0, "steps": 20.0, "zero_gradients": 0.0}
                if kind == "worst PGD":
                    row["right"] = kept.packed(np.arange(250) < 250 * accuracy)
                rows.append(row)
                if kind == "clean":
                    rows.append(row | {"images": 250, "accuracy": 0.0})
    return pd.DataFrame(rows)


@pytest.mark.slow
def test_primary_claims_hold_and_fail_one_by_one() -> None:
    assert not failing(study, table(), central=True)
    primary = [claim for claim in study.claims(table()) if claim.central]
    assert all("5 seeds" in claim.evidence for claim in primary)
    assert "N3 minus D3, worst PGD +6.0 points" in study.headline(table())
    for change, fails in (
        ({"N3": 0.05}, [0, 3]),  # as accurate as D3aug under pixel noise, and not within two points of D3
        ({"N3": -0.5}, [0, 1, 2, 4]),  # trained on shuffled labels
        ({"D3 noise on": 0.0}, [2]),
        ({"D3aug": -0.06}, [3]),
        ({"MF3": 0.06}, [4]),
        ({"N3adv": 0.08}, [5]),
        ({"N3": 0.006}, [1, 2, 4]),  # above 0 over seeds, not over images: one image or two differ
    ):
        failed = failing(study, table(**change), central=True)
        assert failed == [primary[k].text for k in fails]


@pytest.mark.slow
def test_holm_compares_each_p_with_its_own_level() -> None:
    """Six p of which each is below its level: 5 % over 6, 5, ... and 1; the intervals have these levels."""
    values = np.array([0.2, 0.1, 0.4, 0.3])
    assert verdicts.within(values, 0, np.inf) == pytest.approx(stats.ttest_1samp(values, 0).pvalue)
    half = stats.t.ppf(1 - 0.02 / 2, 3) * values.std(ddof=1) / 2  # the interval of 98 % just fits
    assert verdicts.within(values, 0.25 - half, 0.25 + 2 * half) == pytest.approx(0.02)
    assert verdicts.within(values, 0.3, np.inf) == verdicts.within(values[:1], 0, np.inf) == 1
    levels = [claim.evidence.split("(")[1].split(" ")[0] for claim in study.claims(table()) if claim.central]
    assert sorted(map(float, levels)) == [95, 97.5, 98.33, 98.75, 99, 99.17]


def test_every_panel_begins_without_a_disturbance() -> None:
    for ax in study.plot(table()).axes:
        assert ax.lines
        assert all(line.get_xdata()[0] == 0 for line in ax.lines), ax.get_title()


def test_the_number_of_seeds_is_an_option() -> None:
    """A smaller run has no kept verdict, and one seed has no intervals."""
    options = argparse.Namespace(quick=False, seed=None, seeds=2, sabotage=None)
    small = command._config(study, options)
    assert (len(small.all_seeds()), len(study.Config().all_seeds())) == (2, 5)
    options.seeds = 1
    with pytest.raises(NsnnError, match="--seeds 1: expected 2 or more"):
        command._config(study, options)
    assert command.main(["threshold_bridge", "--seeds", "2", "--keep-verdict"]) == 2


# --- a short run -------------------------------------------------------------------------------------------------------------

TINY: dict[str, Any] = {
    "seed": 101, "seeds": 2, "rates": (3e-3,), "epochs": 1, "batch": 20, "skip": 3, "channels": (2, 3), "half": False,
    "train": 40, "test": 12, "disturbed": 6, "images": 6, "restarts": 2, "judge_passes": 5, "radii": (0.5,), "sphere_steps": 2,
    "passes": 3, "pixels": (0.1,), "squares": (8,), "lost": (0.2,), "added": (0.05,), "both": (0.05,),
    "membrane": (0.3,), "weights": (0.1,), "strengths": (2, 4), "one_step": (2,), "steps": 2, "widths": (0.3,), "draws": (1, 2),
    "jobs": 1,
}  # fmt: skip


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> tuple[np.ndarray, np.ndarray]:
    """Images of noise, whose red channel tells the class."""
    rng = np.random.default_rng(1)
    y = rng.integers(0, 10, 40)
    X = rng.uniform(0, 1, (40, 3, 32, 32)).astype(np.float32)
    X[:, 0] = y[:, None, None] / 9
    monkeypatch.setattr(simulation, "images_of", lambda split: (X, y))
    return X, y


@pytest.mark.slow
@pytest.mark.usefixtures("fake", "known_code")
def test_a_short_run_fills_the_table_and_continues(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(simulation, "TRAINED", {arm: config.TRAINED[arm] for arm in ("D3", "N3", "MF3")})
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "kept")
    settings, said = study.Config(**TINY | {"seeds": 1}), []
    found = study.run(settings, tmp_path, said.append)
    assert list(found.columns) == simulation.COLUMNS
    assert set(found.arm) == {"D3", "N3", "MF3", *config.IN_USE}
    assert found.accuracy.between(0, 1).all()
    passes = found[found.kind.isin(["clean", "pixel noise", "occlusion", *config.INSIDE])]
    assert set(passes.groupby(["arm", "kind", "strength", "images"]).passes.apply(tuple)) == {(1, 3)}
    key = ["arm", "strength"]
    worst = found[found.kind == "worst PGD"].set_index(key)
    assert set(worst.passes) == {5}
    single = found[found.kind == "attack"].groupby(key).accuracy.min()
    still = worst.accuracy[["D3", "MF3", "N3 noise off"]]  # for those judgements do not vary
    assert (still <= single.reindex(still.index)).all()
    assert (still.xs(4.0, level=1) <= still.xs(2.0, level=1)).all()  # images of 2/255 count at 4/255
    # the same list for all, also without noise: 2 sources, 2 numbers of draws, 2 losses, and images crafted on 5 arms
    attack_protocol.refuse_unequal(found)
    lists = attack_protocol.attack_lists(found).set_index(["arm", "strength"])
    assert lists["sets of images"].to_dict() == {
        (arm, k): 2 * 2 * 2 * 2 + 5 * (1 + (k == 4)) for arm in worst.index.unique(0) for k in (2.0, 4.0)
    }
    assert "sets of images" in said[-1]
    with pytest.raises(NsnnError, match=r"not attacked equally"):
        attack_protocol.refuse_unequal(found[~((found.arm == "N3") & (found.loss == "margin"))])
    # every image is kept, and accuracies follow from it
    for row in worst.reset_index().itertuples():
        assert kept.unpacked(row.right, 6).mean() == pytest.approx(row.accuracy, abs=1e-6)
    # a run continues after a kill: one attack is computed again, from the weights in its file
    (tmp_path / "parts" / "attacks-N3-rate-0-003-seed-101-4.json").unlink()
    (table_file,) = (tmp_path / "tables").iterdir()
    data = table_file.read_bytes()
    table_file.unlink()
    attacked: list[Any] = []
    make = simulation._worst
    monkeypatch.setattr(
        simulation, "_worst", lambda *args, **more: attacked.append(args[2:]) or make(*args, **more)
    )
    monkeypatch.setattr("analysis.natural_images.networks.train", None)
    pd.testing.assert_frame_equal(study.run(settings, tmp_path), found)
    assert [(use.name, strength) for use, strength in attacked] == [("N3", 4)]
    # a kept table needs no run; one of another configuration does not count
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / table_file.name).write_bytes(data)
    pd.testing.assert_frame_equal(study.run(settings), found)
    with pytest.warns(UserWarning, match="1 of 2 blocks"):
        pd.testing.assert_frame_equal(study.kept_table(study.Config(**TINY)), found)
    with pytest.raises(NsnnError, match="no kept table"):
        study.kept_table(study.Config(**TINY | {"steps": 3}))
    (tmp_path / "kept" / table_file.name).write_bytes(data[:100])
    with pytest.raises(NsnnError, match="delete it"):
        study.kept_table(settings)
    # a file of another arm is refused, also of one with the same neurons
    networks = tmp_path / "networks"
    (networks / "N3-0.003-101.pt").write_bytes((networks / "D3-0.003-101.pt").read_bytes())
    (tmp_path / "kept" / table_file.name).unlink()
    (tmp_path / "tables" / table_file.name).unlink()
    (tmp_path / "parts" / "attacks-N3-rate-0-003-seed-101-4.json").unlink()
    with pytest.raises(NsnnError, match="of another architecture"):
        study.run(settings, tmp_path)


def test_verdicts_come_from_kept_tables_without_a_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(kept, "FOLDER", tmp_path / "tables")
    monkeypatch.setattr(simulation, "_block", None)
    assert command.main(["natural_images", "--from-table"]) == 2
    assert "no kept table" in capsys.readouterr().err
    for seed, rate in itertools.product(SEEDS, RATES):
        rows = table()[(table().seed == seed) & (table().rate == rate)].assign(seed=200 + seed)
        kept.write(rows, study.Config(), rate, 200 + seed, tmp_path)
    assert command.main(["natural_images", "--from-table"]) == 0
    shown = capsys.readouterr().out
    for text in ("sets of images", "holds  B: N3 is more accurate", "two-way bootstrap"):
        assert text in shown
    spoilt = table()[table().seed == 1].assign(seed=201)
    spoilt = spoilt[~((spoilt.arm == "D3") & (spoilt.kind == "attack"))]
    kept.write(spoilt, study.Config(), 3e-3, 201, tmp_path)
    assert command.main(["natural_images", "--from-table"]) == 2
    assert "not attacked equally" in capsys.readouterr().err
    assert command.main(["robustness", "--from-table"]) == 2


@pytest.mark.parametrize(
    ("column", "value"),
    [("restarts", 1.0), ("steps", 10.0), ("images", 249), ("source", "other"), ("draws", 5.0)],
)
def test_arms_with_other_attacks_are_refused(column: str, value: Any) -> None:
    of_one = (
        (table().arm == "N3") & (table().kind == "attack") & (table().strength == 4) & (table().seed == 3)
    )
    spoilt = table().copy()
    spoilt.loc[of_one, column] = value
    with pytest.raises(NsnnError, match=rf"N3 and D3 were not attacked equally.*'{column}'"):
        study.claims(spoilt)
    attack_protocol.refuse_unequal(table())


def test_intervals_over_seeds_and_images() -> None:
    """Of a sum of effects of seeds and of images; both count. Neither alone does: with one of them constant it is as wide."""
    rng = np.random.default_rng(1)
    seeds, images = 0.1 * rng.standard_normal((30, 1)), 0.3 * rng.standard_normal((1, 200))
    for values in (seeds + 0 * images, images + 0 * seeds, seeds + images):
        low, high = intervals.two_way(values)
        se = np.sqrt(values.mean(1).var() / 30 + values.mean(0).var() / 200)
        assert abs((low + high) / 2 - values.mean()) < 0.3 * se
        assert (high - low) / (2 * 1.96 * se) == pytest.approx(1, abs=0.1)


@pytest.mark.slow
def test_arms_are_paired_and_differ_as_they_say(fake: tuple[np.ndarray, np.ndarray]) -> None:
    """Same initial weights; a network without noise in use is D3 with the same weights; files tell arms apart."""
    torch = pytest.importorskip("torch")
    from analysis.natural_images import networks
    from nsnn_neuro import deep

    def weights(net: Any) -> np.ndarray:
        return torch.cat([p.detach().flatten() for p in net.parameters()]).numpy()

    settings = study.Config(**TINY)
    trained = networks.train("N3adv", 3e-3, 3, fake, settings)
    assert 0 <= trained.accuracy <= 1
    assert not np.array_equal(
        weights(trained.module), weights(networks.untrained(config.TRAINED["N3adv"], settings, 3))
    )
    again = networks.train("N3adv", 3e-3, 3, fake, settings)
    assert np.array_equal(weights(trained.module), weights(again.module))
    arms = {arm: networks.untrained(one, settings, 3) for arm, one in config.TRAINED.items()}
    first = weights(arms["D3"])
    assert all(np.array_equal(first, weights(net)) for net in arms.values())
    assert not np.array_equal(first, weights(networks.untrained(config.TRAINED["D3"], settings, 4)))
    fits = {arm: networks.train(arm, 3e-3, 3, fake, settings).module for arm in ("D3", "N3", "D3aug")}
    assert not np.array_equal(first, weights(fits["D3"]))
    assert not np.array_equal(weights(fits["D3"]), weights(fits["D3aug"]))
    quiet = networks.in_use(fits["N3"], config.Arm(width=0.3), settings)
    plain = deep.twin(fits["N3"]).eval()
    x = torch.as_tensor(fake[0])
    with torch.no_grad():
        torch.testing.assert_close(quiet.spikes(x), plain.spikes(x), atol=1e-4, rtol=1e-4)
        noisy = networks.in_use(fits["N3"], config.Arm(sigma=0.3), settings)
        assert not torch.equal(noisy.spikes(x), noisy.spikes(x))
    with pytest.raises(NsnnError, match="state of the arm"):
        arms["D3aug"].load_state_dict(fits["D3"].state_dict())
    shuffled = networks.train("N3", 3e-3, 3, fake, study.Config(**TINY, sabotage="labels shuffled")).module
    assert not np.array_equal(weights(shuffled), weights(fits["N3"]))


def test_the_first_layer_is_that_of_all_steps_one_by_one() -> None:
    """Its output, gradients and running statistics; images that are the same in all steps."""
    torch = pytest.importorskip("torch")
    from analysis.natural_images.networks import FirstLayer
    from nsnn_neuro import deep

    torch.manual_seed(1)
    one = FirstLayer(torch.nn.Conv2d(3, 4, 5, 2, 2, bias=False), torch.nn.BatchNorm2d(4)).double()
    other = deep.EachStep(*map(copy.deepcopy, one))
    x, signal = torch.rand(5, 3, 8, 8).double(), torch.rand(2, 5, 4, 4, 4).double()
    for training in (True, False):
        found = []
        for layer in (one, other):
            at = x.clone().requires_grad_()
            out = layer.train(training)(at.expand(2, *x.shape))
            slopes = torch.autograd.grad((out * signal).sum(), [at, *layer.parameters()])
            found.append([out, *slopes, *layer.buffers()])
        for a, b in zip(*found, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_noise_counted_twice_has_twice_the_variance() -> None:
    """P(spike) = Phi((u - 1) / (sqrt(2) sigma)), |z| < 4; without noise the neuron is the deterministic one."""
    torch = pytest.importorskip("torch")
    import nsnn_neuro as nsnn
    from analysis.natural_images.networks import CountedTwice

    n = 40_000
    share = float(CountedTwice(nsnn.Gaussian(0.3))(torch.full((1, n), 0.7)).mean())
    p = stats.norm.cdf(-0.3 / (np.sqrt(2) * 0.3))
    assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / n)
    assert not CountedTwice(nsnn.Gaussian(0.3), noisy=False)(torch.full((1, 9), 0.7)).any()


def test_noise_is_switched_on_in_spiking_neurons_only() -> None:
    torch = pytest.importorskip("torch")
    import nsnn_neuro as nsnn
    from nsnn_neuro import deep

    still = torch.nn.Sequential(torch.nn.Linear(2, 2), deep.NoisySpike(nsnn.Gaussian(0.3), noisy=False))
    assert attack_protocol.is_noisy(attack_protocol.noise_on(still))
    assert not attack_protocol.is_noisy(still)
    with pytest.raises(NsnnError, match="net has no NoisySpike"):
        attack_protocol.noise_on(still[0])
