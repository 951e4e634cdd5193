"""The study of spike times: its measures by hand, its claims on made-up tables, and a short run."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pandas as pd
import pytest
from helpers.studies import assert_each_can_fail, assert_sabotage_shows, failing

from analysis import learn_spike_times as study

SIGMAS, SEEDS = (0.1, 0.2, 0.4), (2, 3, 4)
DISTANCES = {"untrained": 2.0, "noisy": 0.5, "likelihood": 0.3, "deterministic in noise": 0.8, "deterministic": 0.01}  # fmt: skip


def table(
    jitter: float = 0.5, reliability: float = -0.3, z: float = 1.0, shuffled: float = 1.0, low: float = 0.1, **distances: float
) -> pd.DataFrame:  # fmt: skip
    """Jitter and reliability go as these powers of sigma; `low` is added to the noisy distance at the smallest sigma."""
    rows = []
    cells = [
        (arm, sigma, width, distance + more)
        for arm, distance in (DISTANCES | distances).items()
        for sigma in ((0.0,) if arm == "deterministic" else SIGMAS)
        for width, more in (((0.2, 0.1), (0.4, 0.0)) if arm.startswith("deterministic") else ((sigma, 0.0),))
    ]
    for (arm, sigma, width, distance), seed in itertools.product(cells, SEEDS):
        spread = 0.001 * (seed - 3) * (1 if arm == "noisy" else -1)
        at = distance + spread + low * (arm == "noisy" and sigma == SIGMAS[0])
        row = {"part": "measure", "arm": arm, "sigma": sigma, "width": width, "seed": seed, "distance": at}
        row |= {"shuffled": shuffled, "missing": 0.1, "extra": 0.2, "offset": 0.3}
        if sigma:
            powers = {"jitter": jitter, "reliability": reliability}
            row |= {name: (1 + spread) * sigma**power for name, power in powers.items()}
        if arm == "noisy" and seed == SEEDS[0]:
            row |= {"se": 0.03, "evaluated": at + 0.05 * z, "evaluated_se": 0.04}
        rows.append(row)
    y = np.eye(3)
    o = np.stack([y, 0 * y])
    for arm in ("noisy", "likelihood"):
        rows += [row for sigma in SIGMAS for row in study.firing_rows(o, y, arm, sigma)]
    return pd.DataFrame(rows)


def test_claims_hold_and_fail_one_by_one() -> None:
    broken = {
        "below that before learning": {"untrained": 0.5},
        "to other targets with the same number": {"shuffled": 0.5},
        "jitter grows with sigma": {"jitter": 0.0},
        "distance by `Fit.evaluate`": {"z": 4.5},
        "the deterministic network learns": {"deterministic": 0.06},
        # not central
        "reliability falls": {"reliability": 0.1},
        "less than in proportion": {"jitter": 1.0},
        "trained with noise is nearer": {"deterministic in noise": 0.5},
        "training on the likelihood": {"likelihood": 0.6},
        "too little noise": {"low": -0.1},
    }
    sound = table()
    assert all(claim.holds for claim in study.claims(sound))
    assert_each_can_fail(study, sound, {text: table(**change) for text, change in broken.items()})
    assert any("too little noise" in text for text in failing(study, table(low=0.0)))
    found = study.by_seed_and_sigma(sound, "deterministic in noise", "distance")  # at the best width
    np.testing.assert_allclose(found, np.full((3, 3), 0.8), atol=2e-3)


@pytest.mark.slow
def test_measures_by_hand() -> None:
    y = np.zeros((40, 2))
    y[[10, 30], 0] = y[20, 1] = 1
    rng = np.random.default_rng(0)
    exact = study.measure(np.repeat(y[None], 3, axis=0), y, 5.0, rng)
    assert [exact[name] for name in ("distance", "se", "jitter", "offset", "missing", "extra")] == [0] * 6
    assert exact["reliability"] == pytest.approx(1)
    assert exact["shuffled"] > 0.3
    silent = study.measure(np.zeros((3, 40, 2)), y, 5.0, rng)
    assert (silent["distance"], silent["missing"], silent["extra"]) == (1, 1, 0)
    assert np.isnan(silent["jitter"])
    o = np.zeros((4, 40, 2))
    for repeat, step in enumerate((9, 11, 13, 11)):  # about 11: SD sqrt(8 / 3), 1 late
        o[repeat, step, 0] = 1
    o[:, 25, 0] = 1  # 5 from 30: out of the window
    o[:2, 18, 1] = o[:2, 21, 1] = 1  # the nearest counts, 1 late; the other is extra
    found = study.measure(o, y, 5.0, rng)
    assert found["jitter"] == pytest.approx(np.sqrt((8 / 3 + 0) / 2))
    assert found["offset"] == pytest.approx(1.0)
    assert found["missing"] == pytest.approx(1 - 6 / 12)
    assert found["extra"] == pytest.approx(6 / 12)


@pytest.mark.slow
def test_a_short_run_has_every_row_and_other_targets_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study.nsnn, "train", functools.partial(study.nsnn.train, engine="numpy"))
    small = {"seeds": 2, "sizes": (10, 6, 2), "updates": 20, "batch": 2, "repeats": 10}
    config = study.Config(**small, sigmas=(0.3,), widths=(0.4,))
    found = study.run(config)
    assert found[found.part == "measure"].groupby("arm").size().to_dict() == dict.fromkeys(DISTANCES, 2)
    assert found.evaluated.notna().sum() == 1
    assert (found.part == "firing").sum() == 2 * 2 * config.steps
    assert len(study.claims(found)) == 10
    assert_sabotage_shows(study, config, found, "other targets", "below that to other targets")
