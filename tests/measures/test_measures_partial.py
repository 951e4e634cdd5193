"""Partial, intersection and transferred information against published values, brute force and a certificate of the minimum."""

from itertools import product
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nsnn_neuro.measures import (
    feature_information_transfer,
    intersection_information,
    mutual_information,
    partial_information,
)
from nsnn_neuro.measures.information.decomposition.redundancy import (
    decompose,
    least_specific,
    union_information,
)

NAMES = ["redundant", "unique_1", "unique_2", "synergistic"]
PLAIN: dict[str, Any] = {"bias": "none", "n_shuffle": 0}


def flip(p):
    return np.array([[1 - p, p], [p, 1 - p]])


def logic(output):
    """Law of s = output(r1, r2) for fair, independent bits."""
    table = np.zeros((4, 2, 2))
    for i, j in product(range(2), repeat=2):
        table[output(i, j), i, j] = 0.25
    return table[table.sum((1, 2)) > 0]


def trials(law, n):
    """n trials in the exact proportions of a law, as columns."""
    table = np.rint(law * n).astype(int)
    assert_allclose(table / n, law, atol=1e-12)
    return np.repeat(np.argwhere(table >= 0), table.ravel(), axis=0).T


def sample(rng, law, n_per_stimulus):
    """Trials with equally many of each stimulus."""
    n_s, *sizes = law.shape
    drawn = [rng.multinomial(n_per_stimulus, p / p.sum()) for p in law.reshape(n_s, -1)]
    cells = np.concatenate([np.repeat(np.arange(len(row)), row) for row in drawn])
    return np.repeat(np.arange(n_s), n_per_stimulus), *np.unravel_index(cells, sizes)


def values(parts):
    return np.array([parts[name].value for name in NAMES])


def tables(shape=(3, 2, 3), m=12, seed=0, most=6):
    """Random counts, a third of them 0."""
    rng = np.random.default_rng(seed)
    out = rng.integers(0, most, (m, *shape)) * (rng.random((m, *shape)) < 0.67)
    out[:, 0, 0, 0], out[:, -1, -1, -1] = 2, 3
    return out


CHAIN = 0.5 * flip(0.1)[:, :, None] * flip(0.2)
PAIR = 0.5 * flip(0.1)[:, :, None] * flip(0.3)[:, None, :]
Z2 = 0.5 * np.array([[0.95, 0.05], [0.5, 0.5]])[:, :, None] * np.array([[0.6, 0.4], [0.1, 0.9]])[:, None, :]
COPIES = np.zeros((2, 2, 2))
COPIES[0, 0, 0] = COPIES[1, 1, 1] = 0.5
PUBLISHED = {  # law, trials that hold it exactly, I_min, BROJA where it differs
    "and": (logic(lambda i, j: i & j), 4, (0.311278124, 0, 0, 0.5), None),
    "xor": (logic(lambda i, j: i ^ j), 4, (0, 0, 0, 1), None),
    "copies": (COPIES, 2, (1, 0, 0, 0), None),
    "unique": (logic(lambda i, j: i), 4, (0, 1, 0, 0), None),
    "two bits": (logic(lambda i, j: 2 * i + j), 4, (1, 0, 0, 1), (0, 1, 1, 0)),
    "chain": (CHAIN, 100, (0.17325363, 0.35775078, 0, 0), None),
    "pair": (PAIR, 200, (0.11870910, 0.41229531, 0, 0.04352781), None),
    "z2": (
        Z2,
        400,
        (0.17480522, 0.03054448, 0.03928974, 0.11927458),
        (0.12118867, 0.08416103, 0.09290629, 0.06565802),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_values_to_their_digits(name):
    law, n, i_min, broja = PUBLISHED[name]
    s, r1, r2 = trials(law, n * 3)
    found = {
        measure: values(partial_information(s, r1, r2, measure=measure, **PLAIN))
        for measure in ("i_min", "broja")
    }
    assert_allclose(found["i_min"], i_min, atol=6e-9)
    assert_allclose(found["broja"], i_min if broja is None else broja, atol=6e-9)


def test_the_certificate_holds_without_the_solver():
    """The multipliers obey the dual constraint, and prove a bound that is the value but for the gap."""
    for t in tables():
        p1, p2 = t.sum(2)[None] / t.sum(), t.sum(1)[None] / t.sum()
        union = union_information(p1, p2)
        a, b = -union.slope_1[0] * np.log(2), -union.slope_2[0] * np.log(2)
        free = (p1[0] > 0)[:, :, None] & (p2[0] > 0)[:, None, :]
        assert (np.where(free, np.exp(-a[:, :, None] - b[:, None, :]), 0).sum(0) <= 1 + 1e-12).all()
        p_s = p1[0].sum(1)
        bound = -(p1[0] * a).sum() - (p2[0] * b).sum() - (p_s * np.log(np.where(p_s > 0, p_s, 1))).sum()
        assert 0 <= union.value[0] - bound / np.log(2) + 1e-12 <= union.gap[0] + 2e-12
        assert union.gap[0] < 1e-8


@pytest.mark.parametrize("measure", ["broja", "i_min"])
def test_sums_signs_and_exchange(measure):
    """Parts add up to informations of another function, none is negative, and exchanged responses exchange the unique parts."""
    for t in tables(m=6, seed=2):
        s, r1, r2 = np.repeat(np.argwhere(t >= 0), t.ravel(), axis=0).T
        parts = values(partial_information(s, r1, r2, measure=measure, **PLAIN))
        both = np.column_stack([r1, r2])
        one, two, whole = (mutual_information(s, r, bias="plugin", n_shuffle=0).value for r in (r1, r2, both))
        assert_allclose([parts[:2].sum(), parts[[0, 2]].sum(), parts.sum()], [one, two, whole], atol=1e-9)
        assert parts.min() >= 0
        exchanged = values(partial_information(s, r2, r1, measure=measure, **PLAIN))
        assert_allclose(exchanged, parts[[0, 2, 1, 3]], atol=1e-7)


@pytest.mark.parametrize("measure", ["broja", "i_min", "mmi"])
def test_scores_are_derivatives(measure):
    """Of a law in which I_min takes another response for each stimulus."""
    p = 0.98 * Z2 + 0.02 * np.random.default_rng(4).dirichlet(np.ones(8)).reshape(2, 2, 2)
    found = decompose(p[None], measure, tolerance=1e-12)
    step = 1e-5
    for cell in np.ndindex(p.shape):
        change = step * (np.eye(8).reshape(8, 2, 2, 2)[np.ravel_multi_index(cell, p.shape)] - p)
        up, down = (decompose((p + d)[None], measure, tolerance=1e-12).values[0] for d in (change, -change))
        centred = found.scores[(0, *cell)] - (p[..., None] * found.scores[0]).sum((0, 1, 2))
        assert_allclose((up - down) / (2 * step), centred, atol=2e-4)


def test_sums_stay_after_the_correction_and_it_corrects():
    """Sums over parts don't depend on the measure. Four stimuli, 36 trials each for 9 pairs: means of 24 samples."""
    rng, law = (
        np.random.default_rng(5),
        np.random.default_rng(6).dirichlet(np.ones(9) * 3, 4).reshape(4, 3, 3) / 4,
    )
    truth = decompose(law[None], "broja").values[0]
    corrected, plain = [], []
    for k in range(24):
        s, r1, r2 = sample(rng, law, 36)
        corrected.append(values(partial_information(s, r1, r2, n_shuffle=0, seed=k)))
        plain.append(values(partial_information(s, r1, r2, **PLAIN)))
        if k == 0:
            other = values(partial_information(s, r1, r2, measure="mmi", n_shuffle=0))
            assert_allclose(
                [corrected[0][:2].sum(), corrected[0].sum()], [other[:2].sum(), other.sum()], atol=1e-6
            )
    errors = np.std(corrected, axis=0) / np.sqrt(24)
    bias, bias_plain = np.mean(corrected, axis=0) - truth, np.mean(plain, axis=0) - truth
    assert abs(bias[3]) < 0.3 * bias_plain[3]
    assert bias_plain[3] > 8 * errors[3]
    assert (abs(bias) < 4 * errors + 0.1 * abs(bias_plain[3])).all()


@pytest.mark.slow
def test_shuffles_keep_what_their_name_says():
    """Within stimuli the pair margins stay, so parts by them do; within the other response its information stays."""
    s, r1, r2 = sample(np.random.default_rng(9), Z2, 150)
    plain = values(partial_information(s, r1, r2, **PLAIN))

    def null(name):
        parts = partial_information(s, r1, r2, bias="none", null=name, n_shuffle=12)
        return np.array([parts[part].null_mean for part in NAMES])

    assert_allclose(null("r1|s")[:3], plain[:3], atol=1e-5)
    assert abs(null("r1|r2")[[0, 2]].sum() - plain[[0, 2]].sum()) < 1e-9
    assert null("r1|r2")[[1, 3]].sum() < 0.03 < plain[[1, 3]].sum()
    assert abs(null("r2|r1")[:2].sum() - plain[:2].sum()) < 1e-9
    assert null("s").sum() < 0.04
    assert null("r2")[:2].sum() == pytest.approx(plain[:2].sum(), abs=1e-9)


def test_warnings_name_their_reason():
    rng = np.random.default_rng(13)
    s, r1, r2 = np.repeat(np.arange(4), 15), *rng.integers(0, 3, (2, 60))
    few = partial_information(s, r1, r2, n_shuffle=0)["synergistic"].warning
    assert "15 trials per stimulus for 9 pairs of responses, fewer than 4 each" in str(few)
    plain = partial_information(s, r1, r2, **PLAIN)["synergistic"].warning
    assert 'too high by up to 0.29 bit: take bias = "quadratic"' in str(plain)
    still = partial_information(s, r1, 0 * r2, n_shuffle=0)
    assert "r2 holds one value: it tells nothing" in str(still["redundant"].warning)
    assert abs(still["redundant"].value) + abs(still["unique_2"].value) < 1e-9
    s, r1, r2 = sample(rng, 0.5 * flip(0.1)[:, :, None] * flip(0.1)[:, None, :], 200)
    alike = partial_information(s, r1, r2, n_shuffle=0)
    assert "both unique parts are within two errors of 0" in str(alike["redundant"].warning)
    assert "within two errors of 0, where estimates are skewed" in str(alike["unique_1"].warning)
    assert partial_information(*sample(rng, Z2, 400), n_shuffle=0)["redundant"].warning is None


def test_intersection_is_the_smaller_redundancy_and_has_its_bounds():
    assert_allclose(intersection_information(*trials(CHAIN, 100), **PLAIN).value, 0.1732536275, atol=6e-11)
    for t in tables((2, 3, 2), 4, seed=14):
        s, r, c = np.repeat(np.argwhere(t >= 0), t.ravel(), axis=0).T
        found = intersection_information(s, r, c, **PLAIN).value
        of_s = partial_information(s, r, c, **PLAIN)["redundant"].value
        of_c = partial_information(c, s, r, **PLAIN)["redundant"].value
        assert_allclose(found, min(of_s, of_c), atol=1e-9)


def test_intersection_on_samples():
    """The link of response and choice beyond the stimulus is found; p is even where choices follow the stimulus alone."""
    rng, law = np.random.default_rng(15), CHAIN
    s, r, c = sample(rng, law, 200)
    assert intersection_information(s, r, c, null="r|s", n_shuffle=30).p == 1 / 31
    p = []
    for k in range(20):  # choices follow the stimulus, not the response
        c = s ^ (rng.random(400) < 0.26)
        p.append(intersection_information(s, r, c, bias="none", null="r|s", n_shuffle=9, seed=k).p)
    assert abs(np.mean(p) - 0.55) < 4 * np.sqrt(1 / 12 / 20)


def least_by_loops(target, sources):
    """Redundancy of Williams and Beer, from trials, by loops."""
    total = 0.0
    for t in set(target.tolist()):
        p_t, each = np.mean(target == t), []
        for x in sources:
            terms = [
                np.mean(x[target == t] == v)
                * np.log2(np.mean((target == t) & (x == v)) / (p_t * np.mean(x == v)))
                for v in set(x[target == t].tolist())
            ]
            each.append(sum(terms))
        total += p_t * min(each)
    return total


@pytest.mark.slow
def test_transfer_equals_loops_over_trials_and_has_its_bounds():
    rng = np.random.default_rng(16)
    for _ in range(2):
        s, past = rng.integers(0, 3, 60), rng.integers(0, 2, 60)
        x = np.where(rng.random(60) < 0.7, s, rng.integers(0, 3, 60))
        y = np.where(rng.random(60) < 0.6, x, past)
        found = feature_information_transfer(s, x, y, past, **PLAIN).value
        one = least_by_loops(s, [x, y]) - least_by_loops(s, [x, y, past])
        two = least_by_loops(y, [x, s]) - least_by_loops(y, [x, s, past])
        assert_allclose(found, min(one, two), atol=1e-12)
        one, both = (
            mutual_information(y, np.column_stack(r), bias="plugin", n_shuffle=0).value
            for r in ([past, past], [past, x])
        )
        sent = mutual_information(s, x, bias="plugin", n_shuffle=0).value
        assert found <= min(both - one, sent) + 1e-12
    assert_allclose(least_specific([np.eye(2)[None] / 2] * 3)[0], 1.0)


def test_transfer_needs_the_stimulus_and_a_link():
    """Both shuffles: x passes noise to y, or a stimulus drives both; neither is a transfer about the stimulus."""
    rng, n = np.random.default_rng(17), 400
    s, past = rng.integers(0, 2, n), rng.integers(0, 2, n)
    x = s ^ (rng.random(n) < 0.1)
    passed = feature_information_transfer(s, x, x ^ (rng.random(n) < 0.1), past, n_shuffle=30)
    assert passed.p == 1 / 31
    assert passed.value > 4 * passed.se
    noise = rng.integers(0, 2, n)
    of_noise = feature_information_transfer(s, noise, noise, past, n_shuffle=30)
    driven = feature_information_transfer(s, x, s ^ (rng.random(n) < 0.1), past, n_shuffle=30)
    for none in (of_noise, driven):
        assert none.p is not None
        assert none.p > 1 / 31
    link = feature_information_transfer(s, noise, noise, past, null="x_past|s", n_shuffle=30)
    assert link.p is not None
    assert link.p <= (of_noise.p or 0)
