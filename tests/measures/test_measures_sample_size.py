"""The number of trials that a pilot asks for: its formula, and the spread of estimates that it comes to."""

import numpy as np
from helpers.channels import binary_words, poisson_counts

CHANNELS = {
    "words": binary_words(4, 4, 0.05, 0.5),
    "counts": poisson_counts(np.random.default_rng(0).uniform(0.5, 8.0, 6), 12),
}


def pilot_of(channel, n, seed):
    """n samples with the stimulus drawn anew for each."""
    n_s, n_r = channel.law.shape
    table = np.random.default_rng(seed).multinomial(n, (channel.law / n_s).ravel()).reshape(n_s, n_r)
    return channel.samples(table)
