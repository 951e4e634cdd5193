"""The same information by dit and scikit-learn, and the examples whose values JIDT and IDTxl document.

Equality to rounding where definitions agree, or to the tolerance of the other package's optimizer where the test says so. Tests
with dit are skipped without it: `make test-peers` installs it. Examples of JIDT and IDTxl are written down by their law and value.
"""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.metrics import mutual_info_score

from nsnn_neuro.measures import (
    active_information,
    blahut_arimoto,
    conditional_information,
    entropy,
    interaction_information,
    intersection_information,
    kullback_leibler,
    mutual_information,
    partial_information,
    transfer_entropy,
)
from nsnn_neuro.measures.information.decomposition.redundancy import decompose

PLAIN: dict[str, Any] = {"bias": "plugin", "n_shuffle": 0}
SEED = np.random.default_rng
TABLE = SEED(0).integers(0, 7, (3, 3, 2)) + np.eye(3, dtype=int)[:, :, None]  # counts of (s, r1, r2)
LAST, BOTH, ALONE = ((2,),), ((1,), (2,)), ((1,),)


def columns(table):
    return np.repeat(np.argwhere(table >= 0), table.ravel(), axis=0).T


def law(dit, table):
    """The distribution of dit with the frequencies of a table of counts."""
    seen = np.argwhere(table > 0)
    return dit.Distribution(
        [tuple(map(int, row)) for row in seen], [table[tuple(row)] / table.sum() for row in seen]
    )


def test_information_of_two_labels_given_a_third_is_its_weighted_mean():
    """sum_z p(z) I(X; Y | Z = z), each term by scikit-learn."""
    x, y, z = SEED(7).integers(0, 3, (3, 200))
    terms = [np.mean(z == k) * mutual_info_score(x[z == k], y[z == k]) for k in range(3)]
    assert_allclose(conditional_information(x, y, z, **PLAIN).value, sum(terms) / np.log(2), rtol=1e-12)


def test_shannon_measures_are_those_of_dit():
    """dit's interaction information of three variables has the sign of ours, its co-information the opposite one."""
    dit = pytest.importorskip("dit", minversion="2.3")
    d, (s, r1, r2) = law(dit, TABLE), columns(TABLE)
    shared = dit.multivariate.coinformation
    assert_allclose(entropy(s).value, dit.multivariate.entropy(d, [0]), rtol=1e-12)
    assert_allclose(mutual_information(s, r1, **PLAIN).value, shared(d, [[0], [1]]), rtol=1e-9)
    assert_allclose(conditional_information(s, r1, r2, **PLAIN).value, shared(d, [[0], [1]], [2]), rtol=1e-9)
    mixed = interaction_information(s, r1, r2, **PLAIN).value
    assert_allclose(mixed, dit.multivariate.interaction_information(d), atol=1e-12)
    assert_allclose(mixed, -shared(d), atol=1e-12)


def test_divergence_and_capacity_are_those_of_dit():
    dit = pytest.importorskip("dit", minversion="2.3")
    x, y = np.repeat([0, 1, 2, 3], [7, 4, 6, 3]), np.repeat([0, 1, 2, 3], [2, 9, 4, 5])
    p, q = (dit.Distribution(["0", "1", "2", "3"], np.bincount(one) / 20) for one in (x, y))
    theirs = dit.divergences.kullback_leibler_divergence(p, q)
    assert_allclose(kullback_leibler(x, y, **PLAIN).value, theirs, rtol=1e-9)
    channel = SEED(1).dirichlet(np.full(4, 0.7), 3)
    theirs, _ = dit.algorithms.channel_capacity(channel, rtol=1e-11, atol=1e-11)
    assert_allclose(blahut_arimoto(channel).value, theirs, atol=1e-8)  # it stops when a step is small


@pytest.mark.parametrize(("x", "y", "past_x", "past_y"), [(0, 1, (0, 1), (2, 3)), (1, 0, (2, 3), (0, 1))])
def test_transfer_entropy_is_that_of_dit(x, y, past_x, past_y):
    """Its law of a pair of series holds the two past values of each, then the present ones."""
    dit = pytest.importorskip("dit", minversion="2.3")
    series = SEED(2).integers(0, 2, (2, 400))
    series[1, 1:] ^= series[0, :-1] & (SEED(3).random(399) < 0.7)
    d = dit.inference.dist_from_timeseries(series.T, history_length=2)
    expected = dit.multivariate.coinformation(d, [list(past_x), [4 + y]], list(past_y))
    assert_allclose(transfer_entropy(series[x], series[y], k=2, l=2, **PLAIN).value, expected, atol=1e-10)
    own = dit.multivariate.coinformation(d, [list(past_y), [4 + y]])
    assert_allclose(active_information(series[y], k=2, **PLAIN).value, own, atol=1e-10)


@pytest.mark.parametrize(("measure", "theirs"), [("i_min", "PID_WB"), ("mmi", "PID_MMI")])
def test_closed_decompositions_are_those_of_dit(measure, theirs):
    dit = pytest.importorskip("dit", minversion="2.3")
    d, (s, r1, r2) = law(dit, TABLE), columns(TABLE)
    lattice = getattr(dit.pid, theirs)(d, [[1], [2]], [0])
    expected = [lattice[node] for node in (BOTH, ALONE, LAST, ((1, 2),))]
    parts = partial_information(s, r1, r2, measure=measure, **PLAIN)
    assert_allclose([part.value for part in parts.values()], expected, atol=1e-9)
    of_c = getattr(dit.pid, theirs)(d, [[0], [1]], [2])[((0,), (1,))]
    shared = intersection_information(s, r1, r2, measure=measure, **PLAIN).value
    assert_allclose(shared, min(expected[0], of_c), atol=1e-9)


@pytest.mark.parametrize("case", ["and", "random", "zeros"])
def test_unique_information_is_that_of_two_solvers_of_dit(case):
    """Its alternating projections (admUI) end at our minimum; its general optimizer (SLSQP) there or above it, never below.

    In dit 2.3 the general one, its default for tables of up to 64 cells, stops early: by 0.009 bit on "random".
    """
    dit = pytest.importorskip("dit", minversion="2.3")
    solve = dit.algorithms.broja_method.broja_solve_bivariate
    table = {
        "and": np.array([[[1, 1], [1, 0]], [[0, 0], [0, 1]]]),
        "random": SEED(0).integers(1, 7, (3, 2, 3)),
        "zeros": TABLE * (SEED(4).random(TABLE.shape) < 0.7),
    }[case]
    ours = decompose(table[None] / table.sum(), "broja").values[0, 1:3]
    solutions = [
        solve(law(dit, table), BOTH, (0,), method=name, rng=SEED(5))[0] for name in ("admui", "scipy")
    ]
    projected, general = (np.array([one[1,], one[2,]]) for one in solutions)
    assert_allclose(ours, projected, atol=3e-6)  # its eps is 1e-7, of a step
    assert (general > ours - 2e-6).all()


def test_discrete_examples_of_jidt():
    """A series tells nothing about itself beyond its past; a period of four, predicted by a partner or by its own two last bins."""
    t = np.arange(102)
    target, source = (t % 4 < 2).astype(int), (t % 2 == 0).astype(int)
    assert abs(transfer_entropy(source[:101], target[:101], **PLAIN).value - 1) < 1e-7
    assert abs(transfer_entropy(source[:101], target[:101], k=2, **PLAIN).value) < 1e-7
    assert abs(transfer_entropy(target, target, l=2, **PLAIN).value - 1) < 1e-7
    bits, other = SEED(8).integers(0, 2, (2, 10_000))
    assert abs(transfer_entropy(bits[:100], bits[:100], **PLAIN).value) < 1e-7
    either = np.append(0, (bits + other)[:-1] % 2)
    assert abs(transfer_entropy(bits, either, z=other, **PLAIN).value - 1) < 1e-3
    assert abs(transfer_entropy(bits, either, **PLAIN).value) < 1e-3
    same = transfer_entropy(bits[:100], other[:100], **PLAIN).value
    assert abs(transfer_entropy(bits[:100], other[:100], z=other[:100], **PLAIN).value - same) < 1e-5


@pytest.mark.parametrize(("estimator", "n", "error"), [("gaussian", 10_000, 0.006), ("ksg", 2000, 0.025)])
def test_the_gaussian_example_of_jidt_and_idtxl(estimator, n, error):
    """y = .4 x' + .6 noise: -1/2 log(1 - rho^2) = .1838 nats with rho^2 = .16 / .52, and 0 for another source. Four errors."""
    x, noise, other = SEED(9).normal(size=(3, n))
    y = 0.4 * np.roll(x, 1) + 0.6 * noise
    options: dict[str, Any] = {"estimator": estimator, "n_shuffle": 0}
    there = transfer_entropy(x, y, **options)
    assert abs(there.value * np.log(2) + np.log(1 - 0.16 / 0.52) / 2) < 4 * error
    assert abs(transfer_entropy(other, y, **options).value) < 4 * error
    assert there.se * np.log(2) == pytest.approx(error, rel=0.5)
