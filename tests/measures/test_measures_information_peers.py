"""The same information by dit and scikit-learn, and the examples whose values JIDT and IDTxl document.

Equality to rounding where definitions agree, or to the tolerance of the other package's optimizer where the test says so. Tests
with dit are skipped without it: `make test-peers` installs it. Examples of JIDT and IDTxl are written down by their law and value.
"""

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nsnn_neuro.measures import (
    conditional_information,
    entropy,
    interaction_information,
    intersection_information,
    mutual_information,
    partial_information,
    transfer_entropy,
)

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
