"""The number of trials that a pilot asks for: its formula, and the spread of estimates that it comes to."""

import math

import numpy as np
import pytest
from helpers.channels import binary_words, poisson_counts

from nsnn_neuro import NsnnError
from nsnn_neuro.measures import plan_trials

CHANNELS = {
    "words": binary_words(4, 4, 0.05, 0.5),
    "counts": poisson_counts(np.random.default_rng(0).uniform(0.5, 8.0, 6), 12),
}


def pilot_of(channel, n, seed):
    """n samples with the stimulus drawn anew for each."""
    n_s, n_r = channel.law.shape
    table = np.random.default_rng(seed).multinomial(n, (channel.law / n_s).ravel()).reshape(n_s, n_r)
    return channel.samples(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": 0}, "precision = 0: expected a positive number of bits"),
        ({"precision": -0.1}, "precision = -0.1"),
        ({"precision": math.nan}, "precision = nan"),
        ({"precision": "small"}, "precision = 'small'"),
        ({"bias": "other"}, "bias = 'other': expected one of"),
        ({"pilot": np.zeros((4, 2))}, "pilot = ndarray object: expected the pair"),
        ({"pilot": ([0, 1], [0, 1], [0, 1])}, "pilot = tuple object: expected the pair"),
        ({"pilot": ([0, 1] * 9, [0, 0] * 9)}, "take a longer one, in which responses vary"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    pilot = arguments.pop("pilot", pilot_of(CHANNELS["words"], 100, 3))
    with pytest.raises(NsnnError, match=message):
        plan_trials(pilot, **arguments)
