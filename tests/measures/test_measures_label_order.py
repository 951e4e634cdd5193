"""The order of conditions: sorted, or that of the categories of a pandas Categorical, in every result that lists them."""

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from numpy.testing import assert_allclose, assert_array_equal

from nsnn_neuro import NsnnError, measures, to_block
from nsnn_neuro.io.selection import split
from nsnn_neuro.plotting.align import groups_of

SIZES = ["small", "medium", "large"]
LABELS = np.tile(["medium", "large", "small"], 8)
RATES = {"small": 2, "medium": 9, "large": 25}
COUNTS = np.random.default_rng(0).poisson([RATES[label] for label in LABELS])
BLOCK = to_block([[np.linspace(0.1, 0.9, n)] for n in COUNTS], t_stop=1 * pq.s)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (LABELS, sorted(SIZES)),
        (pd.Series(LABELS), sorted(SIZES)),
        (pd.Categorical(LABELS, ["none", *SIZES]), SIZES),
        (pd.Series(pd.Categorical(LABELS, SIZES, ordered=True)), SIZES),
    ],
)
def test_conditions_are_sorted_or_in_the_order_of_their_categories(labels, order):
    mean = [COUNTS[one == LABELS].mean() for one in order]
    assert list(split(BLOCK, labels)) == order
    assert [name for name, _ in groups_of(labels, np.arange(24), 24)] == order
    curve = measures.tuning_curve(labels, BLOCK)
    assert curve.values.tolist() == order
    assert_allclose(curve.mean[0], mean)
    assert curve.preferred.tolist() == ["large"]
    table = measures.response_statistics(labels, BLOCK, window=[0, 1] * pq.s)
    assert table["condition"].tolist() == order
    assert_allclose(table["mean_count"], mean)
    fit = measures.modulated_poisson(labels, COUNTS)
    assert fit.labels.tolist() == order
    assert_allclose(fit.rate, mean)


def test_numbers_of_a_tuning_curve_ascend_and_missing_texts_are_named():
    angle = np.tile([0.0, 90.0, 45.0], 8)
    curve = measures.tuning_curve(pd.Categorical(angle, [90.0, 0.0, 45.0]), BLOCK)
    assert curve.values.tolist() == [0.0, 45.0, 90.0]
    labels = pd.Categorical([None, *LABELS[1:]], SIZES)
    with pytest.raises(NsnnError, match=r"stimulus\[0\] = nan \(1 of 24 are missing\)"):
        measures.tuning_curve(labels, BLOCK)


@pytest.mark.parametrize("decoder", [measures.PoissonMAP(), measures.LinearDiscriminant()])
def test_decoding_is_the_same_but_for_the_order(decoder):
    features = np.stack([COUNTS, COUNTS[::-1] % 5], axis=1)
    plain = measures.decode(features, LABELS, decoder=decoder, n_shuffle=5)
    other = measures.decode(features, pd.Categorical(LABELS, SIZES), decoder=decoder, n_shuffle=5)
    assert plain.labels.tolist() == sorted(SIZES)
    assert other.labels.tolist() == SIZES
    at = [sorted(SIZES).index(one) for one in SIZES]
    assert_array_equal(other.predictions, plain.predictions)
    assert_array_equal(other.confusion, plain.confusion[np.ix_(at, at)])
    assert_allclose(other.probabilities, plain.probabilities[:, at])
    assert other.p == plain.p
