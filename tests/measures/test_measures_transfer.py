"""Transfer entropy and its relatives against exact values, brute force, and their own laws on autocorrelated series."""

import os
import subprocess
import sys
import warnings

import numpy as np
import pytest
from helpers.channels import entropy_bits
from scipy import signal, stats
from scipy.special import digamma

from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.measures import (
    SilentNeuronWarning,
    TransferEntropyMatrix,
    active_information,
    conditional_information,
    history_length,
    local_transfer_entropy,
    transfer_entropy,
    transfer_entropy_matrix,
)
from nsnn_neuro.measures.information.histories import orders
from nsnn_neuro.measures.information.transfer_estimators import Discrete

PLAIN = {"bias": "plugin", "n_shuffle": 0}


def markov(rng, n, stay):
    """Bits that keep their value with probability `stay`."""
    return np.cumsum(rng.random(n) > stay) % 2


def modulated(rng, n):
    """Spikes whose rate varies over some hundred bins: no short history holds what the past tells."""
    slow = signal.lfilter([np.sqrt(1 - 0.98**2)], [1, -0.98], rng.normal(size=n + 400))[400:]
    return (rng.random(n) < 1 / (1 + np.exp(2 - 1.5 * slow))).astype(int)


def driven_pair(rng, n):
    """x = .5 x' + e, y = .4 y' + .6 x' + n."""
    e = rng.normal(size=(2, n + 100))
    x = signal.lfilter([1], [1, -0.5], e[0])
    y = signal.lfilter([1], [1, -0.4], e[1] + 0.6 * np.append(0, x[:-1]))
    return x[100:], y[100:]


def by_loops(x, y, z, k, l, lag):  # noqa: E741
    """The samples (past of x, present of y, past of y and z), trial by trial."""
    start, rows = max(k, l + lag - 1), []
    for a, b, c in zip(x, y, z, strict=True):
        for t in range(start, len(a)):
            own = [*(b[t - i] for i in range(1, k + 1)), *(c[t - i] for i in range(1, k + 1))]
            rows.append(([a[t - lag - i] for i in range(l)], b[t], own))
    return [np.array(part) for part in zip(*rows, strict=True)]


@pytest.mark.parametrize(("k", "l", "lag"), [(2, 1, 1), (1, 3, 2)])
def test_it_is_the_conditional_information_of_the_histories(k, l, lag):  # noqa: E741
    x, y, z = np.random.default_rng(1).integers(0, 3, (3, 4, 40))
    past_x, now, known = by_loops(x, y, z, k, l, lag)
    expected = conditional_information(past_x, now, known, **PLAIN).value
    found = transfer_entropy(x, y, k=k, l=l, lag=lag, z=z, n_blocks=4, **PLAIN)
    assert abs(found.value - expected) < 1e-12
    assert found.n == len(now)
    local = local_transfer_entropy(x, y, k=k, l=l, lag=lag, z=[z])
    assert abs(np.nanmean(local) - expected) < 1e-12
    assert np.isnan(local).sum() == 4 * max(k, l + lag - 1)


def test_gaussian_is_two_regressions_with_their_bias_and_jackknife():
    x, y = driven_pair(np.random.default_rng(4), 83)

    def plain(keep):
        own = np.column_stack([np.ones(80), y[2:-1], y[1:-2]])[keep]
        both = np.column_stack([own, x[2:-1, None][keep], x[1:-2, None][keep], x[:-3, None][keep]])
        left = [np.linalg.lstsq(a, y[3:][keep], rcond=None)[1][0] for a in (own, both)]
        n = keep.sum()
        bias = digamma((n - 3) / 2) - digamma((n - 6) / 2)
        return (np.log(left[0] / left[1]) - bias) / (2 * np.log(2))

    found = transfer_entropy(x, y, k=2, l=3, estimator="gaussian", n_shuffle=0, n_blocks=4)
    assert abs(found.value - plain(np.ones(80, bool))) < 1e-9
    without = [plain(np.arange(80) // 20 != i) for i in range(4)]
    assert abs(found.se - np.sqrt(3 * np.var(without))) < 1e-9


def test_ksg_against_all_distances():
    x, y = driven_pair(np.random.default_rng(5), 121)

    def near(*columns):
        return np.max([np.abs(c[:, None] - c[None]) for c in columns], axis=0)

    a, b, c = ((v - v.mean()) / v.std() for v in (x[:-1], y[1:], y[:-1]))
    # the third neighbour: the first is the point itself
    reach = np.sort(near(a, b, c), axis=1)[:, 3][:, None]
    counts = [(near(*part) < reach).sum(1) for part in [(c,), (a, c), (b, c)]]
    expected = digamma(3) + np.mean(digamma(counts[0]) - digamma(counts[1]) - digamma(counts[2]))
    found = transfer_entropy(x, y, estimator="ksg", n_neighbors=3, n_shuffle=0)
    assert abs(found.value - expected / np.log(2)) < 1e-9


def test_active_information_of_a_bit_that_switches():
    rng = np.random.default_rng(7)
    found = active_information(markov(rng, 20_000, 0.9), n_shuffle=19)
    assert abs(found.value - (1 - entropy_bits(np.array([0.1, 0.9])))) < 4 * found.se
    assert (found.p, found.unit) == (0.05, "bit/bin")
    found = active_information(driven_pair(rng, 20_000)[0], k=3, estimator="gaussian", n_shuffle=19)
    assert abs(found.value + np.log2(1 - 0.25) / 2) < 4 * found.se


def test_length_of_history():
    rng = np.random.default_rng(8)
    y = [0, 1]
    for flip in rng.random(3000) < 0.1:
        y.append(y[-2] ^ int(flip))
    y = np.array(y)
    lengths = history_length(y, longest=4, n_folds=2)
    assert int(lengths) == 2
    fold = np.arange(y.size - 4) // ((y.size - 4) // 2)
    score = 0.0  # by counting, of the length 1
    for i in range(2):
        seen = np.full((2, 2), 0.5)
        np.add.at(seen, (y[3:-1][fold != i], y[4:][fold != i]), 1)
        score += np.log2(seen / seen.sum(1, keepdims=True))[y[3:-1][fold == i], y[4:][fold == i]].sum()
    assert abs(lengths.score[1] - score / (y.size - 4)) < 1e-9
    x = rng.integers(0, 2, 4000)
    assert int(history_length(np.roll(x, 2) ^ (rng.random(4000) < 0.2), x=x, longest=4)) == 2
    assert (
        int(history_length(signal.lfilter([1], [1, 0, -0.8], rng.normal(size=3000)), estimator="gaussian"))
        == 2
    )
    assert transfer_entropy(x, y[:3000].repeat(2)[:4000], k="cv", n_shuffle=0).n < 4000 - 1


@pytest.mark.parametrize("null", ["shift", "block", "trial_shuffle"])
def test_surrogates_keep_every_past_once_and_most_of_their_order(null):
    options = {"min_shift": 5, "block_length": 10}
    for order in orders(np.random.default_rng(9), null, 5, 4, 40, **options):
        assert sorted(order) == list(range(160))
        assert (order != np.arange(160)).mean() > 0.4
        rows = order.reshape(4, 40)
        assert (np.ptp(rows // 40, axis=1) == 0).all()
        assert (np.diff(rows, axis=1) == 1).mean() > 0.85


@pytest.mark.parametrize("null", ["shift", "within_past"])
def test_p_is_uniform_for_independent_series_with_memory(null):
    """Of "within_past", x copies y with few flips: many surrogates tie, and p is then too large, not too small."""
    rng, p = np.random.default_rng(10), []
    for seed in range(60):
        y = markov(rng, 300, 0.9)
        x = markov(rng, 300, 0.9) if null == "shift" else y ^ (rng.random(300) < 0.05)
        found = transfer_entropy(x, y, null=null, n_shuffle=39, seed=seed)
        p.append(found.p - rng.random() / 40)  # p has 40 values
    side = "two-sided" if null == "shift" else "greater"
    assert stats.kstest(p, "uniform", alternative=side).pvalue > 1e-3


def test_trials_that_a_stimulus_locks():
    """Both follow the stimulus: turned pasts show a transfer, pasts of other trials none."""
    rng = np.random.default_rng(12)
    rate = 0.1 + 0.5 * (np.arange(60) // 10 % 2)
    x, y = (rng.random((2, 40, 60)) < rate).astype(int)
    assert transfer_entropy(x, y).p < 0.02
    other = transfer_entropy(x, y, null="trial_shuffle")
    assert other.p > 0.02
    assert other.se_method == "jackknife over groups of trials"


def test_a_bias_that_the_surrogates_show_is_named():
    rng = np.random.default_rng(13)
    x, y = modulated(rng, 1500), modulated(rng, 1500)
    warning = transfer_entropy(x, y, k=4, l=4).warning
    assert warning.partition("gain has it taken off")[2].endswith("few trials")
    assert transfer_entropy(markov(rng, 1500, 0.9), markov(rng, 1500, 0.9)).warning is None


def units(n_bins=400):
    """Of 4 units, 0 drives 1; 3 is silent."""
    rng = np.random.default_rng(16)
    out = rng.integers(0, 2, (4, n_bins))
    out[1] = np.roll(out[0], 1) ^ (rng.random(n_bins) < 0.1)
    out[3] = 0
    return out


def test_matrix_of_pairs(tmp_path):
    """Each pair as alone, whatever the threads; one warning; the link, and nothing else, is found among the pairs."""
    series = units()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        matrix = transfer_entropy_matrix(series, n_shuffle=30, n_jobs=2, progress=False)
    assert [w.category for w in caught] == [SilentNeuronWarning]
    alone = transfer_entropy(series[0], series[1], n_shuffle=30)
    assert matrix.value[0, 1] == alone.value
    assert matrix.se[0, 1] == alone.se
    assert np.isnan(matrix.value[3]).all()
    assert np.isnan(np.diag(matrix.value)).all()
    assert np.argwhere(matrix.significant()).tolist() == [[0, 1]]
    assert matrix.pooled_p()[0, 1] == 1 / (1 + 6 * 30)
    frame = matrix.to_frame()
    assert len(frame) == 12
    assert frame.query("significant")[["source", "target"]].to_numpy().tolist() == [[0, 1]]
    trials = transfer_entropy_matrix(series[:2].reshape(2, 8, 50).swapaxes(0, 1), n_shuffle=5, progress=False)
    assert trials.value[0, 1] == transfer_entropy(*series[:2].reshape(2, 8, 50), n_shuffle=0).value


def test_matrix_continues_after_it_was_interrupted(tmp_path):
    series, path = units()[:3], tmp_path / "pairs.npz"
    whole = transfer_entropy_matrix(series, n_shuffle=9, progress=False)
    fractions = []

    def stop(fraction):
        fractions.append(fraction)
        if len(fractions) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"2 of 3 targets are in .*the same call continues"):
        transfer_entropy_matrix(series, n_shuffle=9, out=path, progress=stop)
    again = transfer_entropy_matrix(series, n_shuffle=9, out=path, progress=fractions.append)
    assert fractions == [1 / 3, 2 / 3, 1.0]  # the last one alone was left
    assert np.array_equal(again.null, whole.null, equal_nan=True)
    assert np.array_equal(again.p, whole.p, equal_nan=True)
    with pytest.raises(NsnnError, match="made of other series or options"):
        transfer_entropy_matrix(series, n_shuffle=8, out=path, progress=False)
    assert transfer_entropy_matrix(
        series, n_shuffle=8, out=path, resume=False, progress=False
    ).null.shape == (3, 3, 8)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(FormatError, match=r"damaged.*resume=False"):
        transfer_entropy_matrix(series, n_shuffle=8, out=path, progress=False)
    bomb = {name: np.zeros(2**20) for name in ("value", "se", "null_mean", "z", "p", "n", "null")}
    np.savez_compressed(path, made_of="", warnings="{}", **bomb)
    with pytest.raises(FormatError, match="is compressed"):
        transfer_entropy_matrix(series, n_shuffle=8, out=path, progress=False)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FormatError, match="expected a regular file"):
        transfer_entropy_matrix(series, n_shuffle=8, out=path, progress=False)
    with pytest.raises(NsnnError, match=r"ends in \.npz"):
        transfer_entropy_matrix(series, out=tmp_path / "pairs.csv")


@pytest.mark.slow  # a process of its own
def test_matrix_continues_after_its_process_was_killed(tmp_path):
    """SIGKILL once some targets are done: the file is whole, and what is left gives the matrix of one run."""
    path, script = tmp_path / "pairs.npz", tmp_path / "run.py"
    script.write_text(
        "import sys, time, numpy as np\nfrom nsnn_neuro.measures import transfer_entropy_matrix\n"
        "def slow(fraction):\n    print(fraction, flush=True)\n    time.sleep(60 if fraction > 0.3 else 0)\n"
        "series = np.random.default_rng(22).integers(0, 2, (6, 400))\n"
        "transfer_entropy_matrix(series, n_shuffle=9, n_jobs=2, out=sys.argv[1], progress=slow)\n"
    )
    process = subprocess.Popen([sys.executable, script, path], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        while float(process.stdout.readline()) <= 0.3:
            pass
    finally:
        process.kill()
        process.communicate()
    series, fractions = np.random.default_rng(22).integers(0, 2, (6, 400)), []
    again = transfer_entropy_matrix(series, n_shuffle=9, out=path, progress=fractions.append)
    assert 1 <= len(fractions) <= 4  # two of six or more were kept
    once = transfer_entropy_matrix(series, n_shuffle=9, progress=False)
    assert np.array_equal(again.null, once.null, equal_nan=True)
    assert [one.name for one in tmp_path.glob("*.npz*")] == ["pairs.npz"]


def test_pooled_p_is_that_of_many_surrogates():
    """Of one law for all pairs it is uniform, and smaller than any one pair's p can be."""
    rng = np.random.default_rng(17)
    n, draws = 20, rng.chisquare(1, (20, 20, 40))
    null, value = draws[..., 1:], draws[..., 0].copy()

    mean, sd = null.mean(-1), null.std(-1, ddof=1)
    blank = np.full((n, n), np.nan)
    matrix = TransferEntropyMatrix(value, blank, mean, (value - mean) / sd, blank, null, 1, None)
    p = matrix.pooled_p()[~np.eye(n, dtype=bool)]
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    assert p.min() < 1 / 40


def test_quadratic_extrapolates_from_halves_and_quarters_of_the_samples():
    """Parts as the estimator drew them, each by `conditional_information`; and without a block."""
    rng = np.random.default_rng(18)
    context, x, y = rng.integers(0, 2, (3, 90))
    one = Discrete((y, 2), (context, 2), (x, 2), 1, "quadratic", rng)
    one.parts = one.parts[:2]

    def plain(keep):
        return conditional_information(x[keep], y[keep], context[keep], **PLAIN).value

    def extrapolated(kept):
        rows = []
        for part in one.parts:
            halves = [plain(kept & (part % 2 == i)) for i in range(2)]
            rows.append(
                (
                    8 * plain(kept)
                    - 6 * np.mean(halves)
                    + np.mean([plain(kept & (part == i)) for i in range(4)])
                )
                / 3
            )
        return np.mean(rows)

    every = np.ones(90, bool)
    assert all(np.bincount(part).tolist() == [23, 23, 22, 22] for part in one.parts)
    assert abs(one._of_samples([one.cells])[0] - extrapolated(every)) < 1e-12
    assert abs(one.without(np.array([0, 30, 90]))[0] - extrapolated(np.arange(90) >= 30)) < 1e-12
    order = rng.permutation(90)
    direct = Discrete((y, 2), (context, 2), (x[order], 2), 1, "quadratic", np.random.default_rng(0))
    direct.parts = one.parts
    assert abs(one.null([order])[0] - direct._of_samples([direct.cells])[0]) < 1e-12


@pytest.mark.parametrize("estimator", ["discrete", "ksg"])
def test_the_bootstrap_has_the_error_of_the_jackknife(estimator):
    """Both from the same 20 blocks; and the blocks are drawn as they are written down here."""
    x, y = driven_pair(np.random.default_rng(20), 1200 if estimator == "ksg" else 6000)
    if estimator == "discrete":
        x, y = (x > 0) + 0, (y > 0) + 0
    jackknife = transfer_entropy(x, y, estimator=estimator, n_shuffle=0)
    result = transfer_entropy(x, y, estimator=estimator, n_shuffle=0, n_resample=300)
    assert result.value == jackknife.value
    assert result.se_method == "bootstrap over blocks of time"
    assert abs(np.log(result.se / jackknife.se)) < 4 / np.sqrt(600) + 0.05
    again = transfer_entropy(x, y, estimator=estimator, n_shuffle=5, n_resample=300)
    assert again.null_mean == transfer_entropy(x, y, estimator=estimator, n_shuffle=5).null_mean
