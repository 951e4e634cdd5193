"""Channels of known information that estimators are held against: a law of responses per stimulus, all exact."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import special


def entropy_bits(p, axis=-1):
    """-sum p log2 p of exact probabilities."""
    return -special.xlogy(p, p).sum(axis) / np.log(2.0)


def information_bits(table):
    """Mutual information of rows and columns of a table of probabilities or counts."""
    p = table / table.sum()
    return entropy_bits(p.sum(0)) + entropy_bits(p.sum(1)) - entropy_bits(p.ravel())


@dataclass(frozen=True)
class Channel:
    """`law` (n_s, n_r): probability of each response given each of the equiprobable stimuli; `letters` of a word."""

    law: np.ndarray
    letters: int = 0

    @property
    def information(self):
        return float(entropy_bits(self.law.mean(0)) - entropy_bits(self.law).mean())

    def tables(self, trials, repeats, rng):
        """Counts (repeats, n_s, n_r) of `trials` per stimulus."""
        return np.stack([rng.multinomial(trials, p, size=repeats) for p in self.law], axis=1)

    def samples(self, table):
        """Stimuli and responses (words where the channel has letters) with these counts."""
        s, r = np.nonzero(table)
        s, r = np.repeat(s, table[s, r]), np.repeat(r, table[s, r])
        return s, (r[:, None] >> np.arange(self.letters)) & 1 if self.letters else r


def binary_words(n_s, letters, low, high, seed=0):
    """Words of independent bins whose spike probabilities, different for each stimulus, lie between low and high."""
    q = np.random.default_rng(seed).uniform(low, high, (n_s, letters))
    bits = (np.arange(2**letters)[:, None] >> np.arange(letters)) & 1
    return Channel(np.where(bits, q[:, None, :], 1.0 - q[:, None, :]).prod(-1), letters)


def symmetric(error):
    """The binary symmetric channel, of 1 - H(error) bits."""
    return Channel(np.array([[1.0 - error, error], [error, 1.0 - error]]))


KINDS = ("independent", "refractory", "gain of two states", "gain of three states")


def words_of_kind(kind, n_s, letters, *, informative=True, low=0.03, high=0.45):
    """Words whose rate has its own time course for each stimulus, all 2^letters probabilities by enumeration.

    independent: bins are independent given the stimulus; refractory: a spike leaves a tenth of the probability to the next bin;
    gain: one factor for all bins of a trial, .2 or 1.8 (two states), .1, 1 or 2 (three). Without `informative` all stimuli have
    one time course.
    """
    time, s = np.arange(letters), np.arange(n_s)[:, None]
    peak = (letters - 1) * s / max(n_s - 1, 1)
    rate = low + (high - low) * np.exp(-0.5 * ((time - peak) / (letters / 5)) ** 2)
    rate = rate if informative else np.repeat(rate[n_s // 2][None], n_s, axis=0)
    bits = (np.arange(2**letters)[:, None] >> np.arange(letters)) & 1
    gains = {
        "gain of two states": ([0.2, 1.8], [0.5, 0.5]),
        "gain of three states": ([0.1, 1.0, 2.0], [0.3, 0.4, 0.3]),
    }
    before = np.column_stack([np.zeros(len(bits), dtype=int), bits[:, :-1]])
    law = np.zeros((n_s, len(bits)))
    for gain, weight in zip(*gains.get(kind, ([1.0], [1.0])), strict=True):
        chance = np.minimum(gain * rate, 0.95)[:, None] * np.where(before & (kind == "refractory"), 0.1, 1.0)
        law += weight * np.where(bits, chance, 1.0 - chance).prod(-1)
    return Channel(law, letters)


def relevant_by_search(counts, limit):
    """The counting of Panzeri & Treves, one more response at a time."""
    seen, n = sum(c > 0 for c in counts), sum(counts)
    q = 1 - (n / (n + seen)) ** (1 / n)
    best, apart = seen, math.inf
    for extra in range(int(limit) - seen + 1):
        if extra * q >= 1:
            break
        expected = sum(1 - (1 - (1 - extra * q) * (c + 1) / (n + seen)) ** n for c in counts if c > 0)
        expected += extra * (1 - (1 - q) ** n)
        if abs(expected - seen) < apart - 1e-9:
            best, apart = seen + extra, abs(expected - seen)
    return best
