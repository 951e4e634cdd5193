"""What information, decoding and tables of measures refuse: a call, the argument named, and a word of the cure.

Unknown names of options, NaN and what is no data at all are in test_measures_contract, for every measure.
"""

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import neo
import numpy as np
import quantities as pq
from helpers.refusals import assert_refused
from matplotlib.figure import Figure
from sklearn.svm import SVC

from nsnn_neuro import measures as m
from nsnn_neuro import plotting, tabulate, to_block
from nsnn_neuro.measures.entropies.symbols import as_symbols
from nsnn_neuro.perturb import delete_spikes

RNG = np.random.default_rng(14)
BITS, S4, R4 = [0, 1] * 10, [0, 1, 0, 1], [0, 1, 1, 0]
X, Y = RNG.integers(0, 2, (2, 200))
NOISE, OTHER = RNG.normal(size=(2, 60))
HUGE = np.arange(20_000)
GOOD = RNG.normal(size=(10, 2))
S, R = np.repeat([0, 1], 12), RNG.normal(size=(24, 6))
D, COUNTS = np.repeat([0, 1], 10), RNG.poisson(3, (20, 2))
MS = pq.ms
TRIALS = to_block([[[0.01]], [[0.05]], [[]], [[0.02]]], t_stop=60 * MS)
LONGER = to_block([[[0.1]], [[0.2]], [[0.3]], [[]]], t_stop=0.4 * pq.s)
TWO = to_block([[[0.001]], [[0.002]]], t_stop=50 * MS)
PAIR = to_block([[[0.01], []]] * 4, t_stop=60 * MS)
REPEATS = [np.flatnonzero(row) / 100 + 0.001 for row in RNG.random((10, 50)) < 0.3]
SIZE_ONE = np.random.default_rng(1).integers(0, 99, (2, 20_000))
UNEQUAL = [neo.SpikeTrain([0.1], units="s", t_stop=1.0 + 0.1 * k) for k in range(8)]
P3, C3 = RNG.dirichlet([1, 1, 1], 60), np.arange(60) % 3
FOUR = [[0.1], [0.2], [0.1, 0.3], [0.2, 0.4]]
SIDE, CHOICE, LEVEL, X24 = (
    np.repeat([0, 1], 20),
    np.arange(40) % 3 > 0,
    np.repeat([0, 0.1, 0.2, 0.4], 6),
    np.arange(24.0),
)
X40 = RNG.normal(size=40)


def field(n: int, channels: int = 1) -> neo.AnalogSignal:
    return neo.AnalogSignal(np.ones((n, channels)), units="mV", sampling_rate=500 * pq.Hz)


class Deaf:
    def fit(self, x: Any, y: Any) -> Any:
        return self

    def predict(self, x: Any) -> Any:
        return np.full(len(x), 7)


mutual, partial_information = m.mutual_information, m.partial_information
transfer, breakdown, copula, classes = (
    m.transfer_entropy,
    m.information_breakdown,
    m.gaussian_copula,
    m.gaussian_copula_classes,
)
gaussian = partial(transfer, estimator="gaussian")
broja = partial(partial_information, s=S4, r1=R4, r2=[0, 0, 1, 1])
over_time = partial(m.information_over_time, S4, LONGER, window=200 * MS)
rates = partial(m.rate_vs_temporal, S4, TRIALS)
codes = partial(m.codes_table, S4, LONGER, bin_width=20 * MS)
words = partial(m.words, TWO, bin_width=5 * MS)
direct = partial(
    m.direct_information_rate,
    trains=REPEATS,
    bin_width=10 * MS,
    word_lengths=(1, 2),
    t_start=0 * MS,
    t_stop=500 * MS,
)
per_spike = partial(m.information_per_spike, [[0.1], [0.2]], t_start=0 * pq.s, t_stop=0.5 * pq.s)
skaggs = partial(m.skaggs_information, counts=[1, 0, 2, 0], position=S4, n_blocks=2)
fisher, growth, decode = m.linear_fisher_information, m.information_growth, m.decode
matrix = partial(m.transfer_entropy_matrix, progress=False)
metric = partial(m.metric_space_information, trains=FOUR, q=10 * pq.Hz)
select = partial(m.selective_accuracy, P3, C3)
tau = partial(m.intrinsic_timescale, to_block([[np.arange(0.05, 1, 0.1)]] * 12, t_stop=1 * pq.s))
cp, curve = m.choice_probability, m.neurometric
BLOCK = to_block([[[0.1 * k] for k in range(1, 5)]] * 3, t_stop=1 * pq.s)
table = partial(tabulate, BLOCK)
table_of = partial(tabulate, measures=m.cv)


def annotated(**annotations: Any) -> neo.Block:
    block = to_block([[[0.1, 0.2, 0.4]] * 4] * 3, t_stop=1 * pq.s)
    block.annotate(**annotations)
    return block


def wave(values: Any = 0.0) -> neo.AnalogSignal:
    return neo.AnalogSignal(np.zeros(1000) + values, units="mV", sampling_rate=1 * pq.kHz)


# call -> argument that the message names, word of the cure (or of what was expected)
SYMBOLS: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: as_symbols(np.empty((3, 0), int), "r"), "r is empty", "at least one"),
    *((partial(m.transfer_entropy, x, x), f"x {why}", "words") for x, why in [
        ([0.5, 1.0], "has 0.5"), ([[0.5], []], "has rows"), (UNEQUAL, "is a SpikeTrain"), (3 * UNEQUAL[0], "is a SpikeTrain")]),
    (lambda: as_symbols(["a", None], "r"), "r has None", "drop"),
    (lambda: as_symbols(np.zeros((2, 2, 2), int), "r"), "r has shape (2, 2, 2)", "take one neuron"),
    (lambda: as_symbols(m.bin_counts([0, 1, 5, 7], n_bins=2), "r"), "unequal length", "bin_counts returns two results"),
    (lambda: as_symbols(np.array([2**63], dtype=np.uint64), "r"), "r has", "below 2^63"),
    (lambda: m.entropy([0, 1, 2], n_symbols=2), "n_symbols = 2", "at least the 3 symbols"),
    (lambda: m.entropy([0, 1, 1], method="quadratic"), "x has 3 samples", "at least 4"),
    (lambda: m.entropy([[0] * 2000, [1] * 2000], method="nsb"), "x has words", "give n_symbols"),
    (lambda: m.bin_counts([1, 2.5], n_bins=2), "counts holds 2.5", "whole numbers"),
    (lambda: m.bin_counts(np.ones((2, 2, 2)), n_bins=2), "counts has shape", "expected"),
    (lambda: m.bin_counts([1, 2], n_bins=0), "n_bins = 0", "expected"),
    (lambda: words(bin_width=0 * MS), "bin_width = 0", "greater"),
    (lambda: words(bin_width=60 * MS), "bin_width = 0.06 s is longer", ""),
    (lambda: words(align=[10] * MS, t_stop=5 * MS), "align has shape (1,)", "one for each"),
    (lambda: words(align=[10, np.nan] * MS, t_stop=5 * MS), "align", "NaN"),
    (lambda: words(align=[10, 20] * MS), "t_stop = None", "must be given"),
    (lambda: words(align=[10, 48] * MS, t_stop=5 * MS), "align has an event at 0.048 s in trial 1", ""),
    (lambda: words(align=[10, 20] * MS, t_stop=0 * MS), "t_start = None", "before"),
    (lambda: words(t_stop=51 * MS), "t_stop = 0.051", ""),
]  # fmt: skip
INFORMATION: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: mutual([0.5, 1.0], [0, 1]), "s has 0.5 once", "bin a continuous"),
    (lambda: mutual([0, 1, 1], [0, 1]), "s and r have 3 and 2 samples", "equal numbers"),
    (lambda: mutual([0, 1], neo.Block()), "r is a Block", "spike_counts"),
    (lambda: mutual([0], [1]), "s and r have 1 sample", "at least 2"),
    (lambda: mutual([0, 1], [[0], [1]], bias="shuffle"), "bias = 'shuffle' with r of one letter", "words"),
    (lambda: mutual(HUGE, HUGE), "s has 20000, r has 20000", "bin_counts"),
    (lambda: m.kullback_leibler(BITS, ["a", "b"]), "x holds", "numbers in both or texts in both"),
    (lambda: m.kullback_leibler(BITS, np.zeros((5, 2), int)), "x and y have shapes", "words of equal length"),
    (lambda: m.channel_capacity([0, 0, 1], [0, 1, 1]), "s has a stimulus of 1 trial", "at least 2"),
    (lambda: m.blahut_arimoto([[0.5, 0.6]]), "channel[0] = ", "add up to 1"),
    (lambda: m.which_estimator([0, 1], [0, 1]), "s and r", "at least 4 trials"),
    (lambda: m.which_estimator([1] * 4, S4), "s holds one stimulus in 4 trials", "at least two"),
    (lambda: m.which_estimator(S4, [2] * 4), "r holds one response in 4 trials", "at least two"),
    (lambda: m.which_estimator(BITS, np.arange(20)[:, None] % 2 * np.ones((1, 17), int)), "possible words", "at most 65536"),
    (lambda: m.which_estimator(BITS, BITS, n_repeats=1), "n_repeats = 1", "from 2"),
    (lambda: m.plan_trials((BITS, BITS), precision=0), "precision = 0", "positive number of bits"),
    (lambda: m.plan_trials((BITS, BITS, BITS), precision=0.1), "r = None", "pair"),
    (lambda: m.plan_trials(BITS, BITS, trials=5), "trials", "precision"),
    (lambda: m.plan_trials(([0, 1] * 9, [0, 0] * 9), precision=0.1), "pilot", "take a longer one"),
    (lambda: broja(s=[1, 1, 1, 1]), "s holds one value in 4 trials", "at least two"),
    (lambda: broja(bias="shuffle", n_shuffle=0), "n_shuffle = 0", "at least 2 shuffles"),
    (lambda: broja(s=range(30), r1=range(30), r2=range(30)), "needs 1800 equations", "measure='i_min'"),
    (lambda: breakdown(S4, S4), "words has shape (4,)", "(n_trials, n_cells)"),
    (lambda: breakdown(S4, [[0], [1], [0], [1]]), "words has shape (4, 1)", "at least two cells"),
    (lambda: breakdown(S4, np.zeros((4, 2, 3), int)), "words has shape (4, 2, 3)", "take one bin"),
    (lambda: breakdown(S4, [[0, 0.5], [1, 0], [0, 1], [1, 1]]), "words[:, 1] has 0.5", "whole numbers"),
    (lambda: breakdown(S4, np.arange(4)[:, None] * np.ones(9, int)), "262144 possible words", "fewer cells"),
]  # fmt: skip
SERIES: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: transfer(X, Y[1:]), "x and y have shapes (200,) and (199,)", "equal shapes"),
    (lambda: transfer(X, None), "y = None", "take active_information"),
    (lambda: transfer(X, Y, z=Y[1:]), "z has shape (199,)", "expected (200,), as x and y, or (m, 200,)"),
    (lambda: transfer(X, Y, k=300), "k = 300, l = 1, lag = 1", "more than the 300 bins"),
    (lambda: transfer(X, Y, k="best"), "k = 'best'", "at least 1, or 'cv'"),
    (lambda: transfer(X, Y, n_blocks=150), "n_blocks = 150: x or y has 199 samples", "at least 300"),
    (lambda: transfer(X, Y, n_resample=10), "n_resample = 10", "at least 20"),
    (lambda: transfer(X, Y, null="block"), "block_length = None", "needs the length of the blocks"),
    (lambda: transfer(X, Y, null="trial_shuffle"), "null = 'trial_shuffle' with one trial", "expected several"),
    (lambda: transfer(X, Y, min_shift=150), "min_shift = 150", "0 to half"),
    (lambda: gaussian(NOISE, NOISE), "a value is a linear function of others", "leave one out"),
    (lambda: transfer(NOISE, np.arange(60) % 2, estimator="ksg"), "y: column 0 has 2 distinct values", "mutual_information"),
    (lambda: transfer(*SIZE_ONE, k=3), "too many symbols: the past of y and z has", "histories"),
    (lambda: over_time(window=1 * pq.s), "window = 1.0 s", "longer than the 0.4 s"),
    (lambda: over_time(bin_width=30 * MS), "bin_width = 30.0 ms", "divide the window of 0.2 s"),
    (lambda: over_time(threshold=1.0), "threshold = 1.0", "between 0 and 1"),
    (lambda: over_time(n_shuffle=10), "n_shuffle = 10: no window could reach threshold = 0.05", "at least 19"),
    (lambda: over_time(step=0 * pq.s), "step = 0", "greater"),
    (lambda: m.rate_vs_temporal([0, 1, 0], TRIALS), "stimulus has shape (3,)", "(4,), one label per trial"),
    (lambda: m.rate_vs_temporal(S4, PAIR), "neuron = None: the block has 2 neurons", "choose one"),
    (lambda: rates(resolutions=[40] * MS), "0.04 s of resolutions", "choose another"),
    (lambda: rates(resolutions=[0] * MS), "resolutions = ", "greater than 0"),
    (lambda: rates(t_stop=33.5 * MS), "none of the default ones", "pass others"),
    (lambda: rates(neuron=1), "neuron = 1", "expected"),
    (lambda: codes(bin_width=30 * MS), "bin_width = 30.0 ms", "choose another"),
    (lambda: codes(band=[4, 8] * pq.Hz), "band", "without a signal"),
    (lambda: codes(signal=field(100)), "signal of trial 0 lasts from 0 to 0.2 s", "covers the window, 0 to 0.4 s"),
    (lambda: codes(signal=field(200), band=[8, 4] * pq.Hz), "band", "two frequencies, low and high"),
    (lambda: codes(signal=field(200), band=[8, 400] * pq.Hz), "band", "half the sampling rate, 250 Hz"),
    (lambda: codes(signal=field(200, 2)), "signal has 2 channels", ""),
    (lambda: codes(signal=[field(200)]), "signal", "expected one per trial"),
    (lambda: per_spike(bin_width=1 * pq.s), "bin_width", "longer than the shortest trial"),
    (lambda: m.information_per_spike(PAIR, bin_width=20 * MS), "of 2 neurons", ""),
    (lambda: skaggs(counts=[1, 2]), "counts has shape (2,), position (4,)", "equal lengths"),
    (lambda: skaggs(counts=[0.5, 1, 0, 0]), "counts", "whole numbers of spikes"),
    (lambda: skaggs(counts=[-1, 1, 0, 0]), "counts", "at least 0"),
    (lambda: skaggs(n_blocks=1), "n_blocks = 1", "at least 2"),
    (lambda: skaggs(n_blocks=5), "n_blocks = 5", "2 to the number of bins, 4"),
    (lambda: skaggs(min_shift=3), "min_shift = 3", "half the number of bins"),
    (lambda: direct(word_lengths=[1, 1]), "word_lengths", "different whole numbers"),
    (lambda: direct(word_lengths=[1.5]), "word_lengths", "whole numbers"),
    (lambda: direct(word_lengths=[0, 1]), "word_lengths", "at least 1"),
    (lambda: direct(word_lengths=[30], bias="none"), "word_lengths has 30", "shorter words"),
    (lambda: direct(word_lengths=[6]), "word_lengths has 6", "half as many letters as trials, 10"),
    (lambda: direct(trains=REPEATS[:7]), "trains has 7 trials: bias 'shuffle'", "at least 8 repeats"),
    (lambda: direct(trains=REPEATS[:1], bias="miller-madow"), "trains has 1 trials", "at least 2 repeats"),
    (lambda: m.direct_information_rate(UNEQUAL, bin_width=50 * MS), "trials last from 1.0 to 1.7", "t_stop"),
    (lambda: matrix(np.where(np.arange(100) == 5, np.nan, np.ones((3, 1))), estimator="gaussian"), "series[0][5] = [nan]", ""),
    (lambda: matrix(np.full((4, 2, 30), 0.5)), "series[:, 0] has 0.5", "bin continuous values"),
]  # fmt: skip
CONTINUOUS: list[tuple[Callable[[], Any], str, str]] = [
    *((partial(f, x, y), *named) for f in (m.ksg, copula) for x, y, *named in [
        (NOISE, OTHER[:50], "x has 60 samples and y has 50", "equal numbers"),
        (NOISE, np.ones(60), "y: column 0 is constant", "leave it out"),
        (NOISE[:3], OTHER[:3], "x and y have 3 samples", "need"),
    ]),
    (lambda: m.ksg(NOISE, OTHER, k=0), "k = 0", "expected"),
    (lambda: m.ksg(NOISE, OTHER, k=59), "x and y have 60 samples", "need 61"),
    (lambda: m.ksg(NOISE, OTHER, variant=3), "variant = 3", "one of 1, 2"),
    (lambda: m.ksg(np.arange(60) % 9, OTHER), "x: column 0", "use mutual_information"),
    (lambda: copula(NOISE, np.exp(NOISE)), "x and y", "leave it out"),
    (lambda: copula(np.stack([NOISE, NOISE], axis=1), OTHER), "x and y", "function of others"),
    (lambda: copula(RNG.normal(size=40), RNG.normal(size=(40, 60))), "40 samples of 1 + 60 columns", "need"),
    (lambda: copula(NOISE, OTHER, shrinkage=1.5), "shrinkage = 1.5", ""),
    (lambda: copula(NOISE, OTHER, shrinkage="auto", n_shuffle=0), "n_shuffle = 0: shrinkage", "at least 1"),
    (lambda: copula(np.stack([NOISE, NOISE**3], axis=1), OTHER, shrinkage="auto"), "x: a column", "leave it out"),
    (lambda: classes(np.zeros(60, int), NOISE), "classes holds 1 distinct label", "at least 2"),
    (lambda: classes(np.arange(50) % 2, NOISE), "classes has shape (50,)", "one label per trial"),
    (lambda: classes(np.r_[np.zeros(57, int), 1, 1, 1], NOISE), "classes: 1 has 3 samples of 1 columns", "at least 4"),
    (lambda: classes(np.arange(60) % 2, np.ones(60)), "x: column 0 is constant", "leave it out"),
    (lambda: classes(np.arange(60) % 2, np.arange(60) % 2), "x: in a class a column is constant", ""),
    (lambda: classes(np.arange(60) % 2, np.stack([NOISE, NOISE], axis=1)), "x: in a class", "function of others"),
    (lambda: fisher(GOOD, GOOD, 0.0), "ds = 0.0", "other than 0"),
    (lambda: fisher(GOOD, GOOD[:, :1], 1.0), "r2", "same neurons"),
    (lambda: fisher(GOOD[:1], GOOD, 1.0), "1 and 10 trials", "at least"),
    (lambda: fisher(GOOD[:2], GOOD[:3], 1.0), "trials", "more than 5 together"),
    (lambda: fisher(GOOD * [1, 0], GOOD * [1, 0], 1.0), "neuron 1 gives the same", "leave it out"),
    (lambda: fisher(GOOD[:, [0, 0]], GOOD[:, [0, 0]], 1.0), "linearly dependent", ""),
    (lambda: fisher(np.zeros((2, 2, 2)), GOOD, 1.0), "r1", "(n,) or (n, d)"),
    *((partial(m.poisson_fisher, *one), "mean", "") for one in [
        ([0.0], [1.0]), ([1.0, 2.0], [1.0, 2.0, 3.0]), (1.0, 1.0)]),
    *((partial(m.gaussian_fisher, *one), "covariance", "") for one in [
        ([1.0], np.eye(2)), ([1.0, 1.0], [[1.0, 2.0], [2.0, 1.0]]), ([1.0, 1.0], [[1.0, 0.5], [0.0, 1.0]]),
        ([1.0, 1.0], np.eye(2), np.eye(3))]),
    (lambda: growth(np.repeat([0, 1, 2], 8), R), "stimulus has 3 different values", "select their trials"),
    (lambda: growth(np.where(S, "a", "b"), R), "stimulus", "pass their difference as ds"),
    (lambda: growth(S, R, ds=0), "ds = 0", "other than 0"),
    (lambda: growth(S, R, sizes=[2, 4]), "sizes = [2, 4]", "at least three sizes"),
    (lambda: growth(S, R, sizes=[1, 3, 7]), "sizes = [1, 3, 7]", "whole numbers from 1 to 6"),
    (lambda: growth(S, R, sizes=[1, 2.5, 3]), "sizes = ", "whole numbers"),
    (lambda: growth(S, np.tile(R, 4), sizes=[5, 10, 20]), "sizes: 20 neurons need 25 trials", "fewer neurons"),
    (lambda: growth(S, R[:, :2]), "counts of 2 neurons", "at least three sizes"),
    (lambda: growth(S, R, n_subsets=0), "n_subsets = 0", "from 1"),
    (lambda: growth(S, R[:, [0, 1, 2, 0]], sizes=[1, 2, 4]), "linearly dependent", ""),
    (lambda: growth(S[[0, 1, *range(12, 18)]], R[:8]), "stimulus: 2 and 6 trials", "at least 3 each"),
    (lambda: growth(S, R, method="posterior", decoder=SVC(random_state=0)), "decoder", "method='confusion'"),
    (lambda: growth(S[:-1], R, method="copula"), "stimulus has 23 values and counts 24 trials", "equal numbers"),
    (lambda: growth(np.where(S, "a", "b"), R, method="copula"), "stimulus", "numbers"),
    (lambda: growth(S, R, n_subsets=2).interval(2), "confidence = 2", "between 0 and 1"),
    (lambda: growth(S, R, n_subsets=2).neurons_for(1), "share = 1", "between 0 and 1"),
]  # fmt: skip
DECODING: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: decode(D[:5], COUNTS), "stimulus has shape (5,)", "one label per trial"),
    (lambda: decode(np.linspace(0.1, 0.9, 20), COUNTS), "stimulus has 0.1 once", "numpy.digitize"),
    (lambda: decode(np.r_[D[:-7], np.zeros(7, int)], COUNTS), "stimulus 1 has 3 trials", "take fewer folds"),
    (lambda: decode(D, COUNTS + 0.5), "PoissonMAP needs counts", ""),
    (lambda: decode(D, -COUNTS - 1), "PoissonMAP needs counts", ""),
    (lambda: decode(D, COUNTS, decoder="map"), "decoder = 'map'", "such as PoissonMAP()"),
    (lambda: decode(D, COUNTS, decoder=m.LinearDiscriminant), "decoder = LinearDiscriminant, a class", "add brackets"),
    (lambda: decode(COUNTS, [*"abab"] * 5), "arguments swapped", "decode(stimulus, responses)"),
    (lambda: decode(D, np.c_[COUNTS, COUNTS].T), "responses has 4 rows and 20 columns", "responses.T"),
    (lambda: decode(D, COUNTS, decoder=m.NearestTrain()), "needs spike trains", "give a neo.Block"),
    (lambda: decode(D, COUNTS, decoder=Deaf()), "decoder Deaf predicted", "expected one of the labels"),
    (lambda: decode(D, COUNTS, bin_width=1 * MS), "bin_width", "give a neo.Block"),
    (lambda: decode(S4, LONGER, decoder=m.NearestTrain(), bin_width=10 * MS), "bin_width", "reads the spike times themselves"),
    (lambda: decode(D, COUNTS, t_stop=1 * pq.s), "t_stop", "give a neo.Block"),
    (lambda: decode(D, COUNTS, n_folds=1), "n_folds = 1", "at least 2"),
    (lambda: decode(D, np.zeros((2, 2, 2))), "responses", "(n,) or (n, d)"),
    (lambda: decode(D, COUNTS, prior="empirical"), "no argument 'prior'", "decoder=PoissonMAP(prior="),
    *((partial(make, **one), f"{next(iter(one))} = ", "") for make in (m.PoissonMAP, m.NegativeBinomialMAP)
      for one in ({"prior": "flat"}, {"pseudo_count": 0})),
    (lambda: m.LinearDiscriminant(1.5), "shrinkage = 1.5", ""),
    (lambda: m.LinearDiscriminant(prior="flat"), "prior = 'flat'", ""),
    (lambda: m.NearestTrain("victor-purpura"), "distance", "expected a function"),
    *((partial(m.decoder_information, D, COUNTS, decoders=one), *named) for one, *named in [
        ({}, "decoders", "expected a dict"),
        ({1: m.PoissonMAP()}, "decoders", "expected a dict"),
        ({"P": m.PoissonMAP}, "decoders['P']", "add brackets"),
    ]),
]  # fmt: skip
SCORES: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: m.brier_score([0.2, 0.8], [0, 1]), "probabilities", "(n, K), a column for each"),
    (lambda: m.brier_score([[1.0], [1.0]], [0, 0]), "probabilities", "two classes or more"),
    (lambda: m.brier_score([[0.5, 0.4]], [0]), "probabilities[0] = [0.5 0.4]", "add up to 1"),
    (lambda: m.brier_score([[0.5, 0.5], [1.5, -0.5]], [0, 0]), "probabilities[1]", "from 0"),
    (lambda: m.brier_score(P3, C3[1:]), "labels", "whole numbers of shape (60,)"),
    (lambda: m.brier_score(P3, C3 * 1.0), "labels has shape (60,), float64", "whole numbers"),
    (lambda: m.brier_score(P3, C3 + 1), "labels go from 1 to 3", "0 to 2"),
    (lambda: m.brier_score(P3, C3 - 1), "labels go from -1 to 1", "0 to 2"),
    (lambda: select(coverage=0), "coverage = 0", "numbers above 0"),
    (lambda: select(coverage=[0.5, 1.1]), "coverage = [0.5, 1.1]", "expected"),
    (lambda: m.roc_auc([1], np.ones((3, 2))), "b has shape (3, 2)", "expected (n,)"),
    (lambda: m.d_prime([1, 2], [3], method="moments"), "b has 1 value", ""),
    (lambda: cp(SIDE, X40, np.where(CHOICE, "a", "b")), "choice holds texts", ""),
    (lambda: cp(SIDE, X40, np.ones(40, int)), "choice has 1 distinct values", ""),
    (lambda: cp(SIDE, X40, np.arange(40)), "choice has 40 distinct values", ""),
    (lambda: cp(SIDE, np.ones((40, 2)), CHOICE), "counts has shape", ""),
    (lambda: cp(np.arange(40), X40, CHOICE), "stimulus", "at least min_trials = 5 of each"),
    (lambda: cp(SIDE, X40, CHOICE, min_trials=2), "min_trials = 2", "a whole number from 3"),
    (lambda: curve(LEVEL[1:], X24, 0), "stimulus has shape (23,)", "expected (24,)"),
    (lambda: curve(np.where(LEVEL > 0, "a", "b"), X24, 0), "stimulus holds texts", ""),
    (lambda: curve(LEVEL, X24, 7), "reference = 7", "no trial has this stimulus"),
    (lambda: curve(LEVEL, X24), "stimulus 0.1 has trials of one sign alone", ""),
    (lambda: curve(LEVEL, X24, 0.1), "below the reference, 0.1", ""),
    (lambda: curve(X24, X24, 0), "has one trial", "at least two"),
    (lambda: curve(0 * LEVEL, X24, 0), "stimulus has a single value", ""),
    (lambda: curve(LEVEL, X24, 1 * pq.mV), "reference = ", "plain numbers, as stimuli"),
    (lambda: metric([0, 0, 0, 1]), "class 1 has one train", ""),
    *((partial(metric, S4, **one), *named) for one, *named in [
        ({"q": -1 * pq.Hz}, "q", "at least 0"),
        ({"z": 0}, "z = 0", ""),
        ({"distance": lambda t, cost: np.zeros((2, 2))}, "distance returned shape (2, 2)", ""),
        ({"distance": lambda t, cost: -np.ones((4, 4))}, "distance", "at least 0"),
    ]),
]  # fmt: skip
RESPONSES: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: m.trial_drift(np.ones((5, 2)), stimulus=np.arange(5)), "stimulus", "each label has one trial"),
    (lambda: m.trial_drift(np.ones(5)), "block", "(n_trials, n_neurons)"),
    (lambda: m.sparseness([[1.0, 2.0]]), "rates", "at least two stimuli"),
    (lambda: m.sparseness([[1.0], [-1.0]]), "rates holds -1.0", ""),
    (lambda: tau(max_lag=0.1 * pq.s), "max_lag = ", "expected at least four"),
    (lambda: tau(offset=1), "offset = 1", ""),
    (lambda: m.intrinsic_timescale(BLOCK), "block has 3 trials", "at least ten"),
    (lambda: m.coherence(wave(), [[0.1], [np.nan]], nperseg=200), "NaN in trial 1", ""),
    (lambda: m.coherence(wave(np.nan), [[0.1]], nperseg=200), "signal holds NaN", ""),
]  # fmt: skip
TABLES: list[tuple[Callable[[], Any], str, str]] = [
    (lambda: table(m.cv, by="trial"), "by = 'trial'", "expected"),
    (lambda: tabulate(3, m.cv), "blocks = int object", "expected"),
    (lambda: tabulate([], m.cv), "blocks is empty", ""),
    (lambda: tabulate(tabulate(BLOCK, m.cv), m.cv), "blocks", "DataFrame"),
    (lambda: tabulate([BLOCK, 3], m.cv), "block", "expected a neo.Block"),
    (lambda: table([]), "measures = []", ""),
    (lambda: table([m.cv, partial(m.cv)]), "measures", "equal names"),
    (lambda: table(partial(m.fano_curve, windows=[10, 20] * MS)), "measure fano_curve returned a tuple", "for each of its points"),
    *((partial(table, {"own": lambda block, one=one: one}), f"measure own returned {text}", "expected (4,), a number")
      for one, text in [
          (np.ones((2, 2)), "shape (2, 2)"), (BLOCK, "a Block"), ("3", "'3'"), ([1, None, 2, 3], "[1, None")]),
    (lambda: tabulate(annotated(populations=[{"name": "e", "size": 3}]), m.cv), "populations", "don't add up to 4 neurons"),
    *((partial(table_of, annotated(populations=one)), "block.annotations['populations'] = ", "") for one in [
        "E", {"E": 3}, [3, 1], [{"size": 4}], [{"name": "E", "size": "4"}], [{"name": "E", "size": 10**400}],
        [{"name": "E", "size": 5}, {"name": "I", "size": -1}]]),
    (lambda: plotting.psth(annotated(populations="E"), bin_width=0.5 * pq.s, ax=Figure().subplots()), "['populations']", ""),
    (lambda: plotting.isi_histogram(annotated(dt="0.1 ms"), ax=Figure().subplots()), "block.annotations['dt']", "seconds"),
    (lambda: delete_spikes(annotated(perturbations="none"), p=0.5, seed=1), "block.annotations['perturbations'] = 'none'", ""),
]  # fmt: skip
FOLDERS = (SYMBOLS, INFORMATION, SERIES, CONTINUOUS, DECODING, SCORES, RESPONSES, TABLES)


def test_wrong_arguments_are_named_with_their_cure() -> None:
    """All rows in one test, so that the quick suite has them too."""
    assert_refused(itertools.chain(*FOLDERS))
