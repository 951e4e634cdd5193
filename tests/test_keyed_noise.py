"""Keyed noise against published vectors, an independent plain-Python Philox, and the laws it must have."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import special, stats

from nsnn_neuro import keyed_noise as kn
from nsnn_neuro.errors import NsnnError

# Random123's known answers for philox4x32-10: counter and key -> output
KNOWN = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


def philox(counter, key):
    """Philox4x32-10 in Python integers, written from the paper."""
    (a, b, c, d), (k, m) = counter, key
    for _ in range(10):
        p, q = a * 0xD2511F53, c * 0xCD9E8D57
        a, b, c, d = (q >> 32) ^ b ^ k, q % 2**32, (p >> 32) ^ d ^ m, p % 2**32
        k, m = (k + 0x9E3779B9) % 2**32, (m + 0xBB67AE85) % 2**32
    return a, b, c, d


@pytest.mark.parametrize(("counter", "key", "expected"), KNOWN)
def test_philox_gives_the_published_words(counter, key, expected):
    assert tuple(int(w) for w in kn.philox4x32(*map(np.uint64, (*counter, *key)))) == expected
    assert philox(counter, key) == expected


def test_draws_are_the_words_of_their_counter():
    """The documented layout: step >> 1 | neuron | trial | point * 256 + stream; halves for even and odd steps."""
    k0, k1 = kn.key(11)
    for step, neuron, trial, point, stream in [(0, 0, 0, 0, 0), (7, 3, 2, 5, 4), (10**9, -1, 9, 70000, 1)]:
        words = philox((step >> 1, neuron % 2**32, trial, (point << 8) | stream), (k0 % 2**32, k1 % 2**32))
        low, high = words[2:] if step % 2 else words[:2]
        bits = (high << 32) | low
        u = ((bits >> 12) + 0.5) / 2**52
        p = ((bits % 2**63) + 0.5) / 2**64
        z = special.ndtri(p) * (-1 if bits >> 63 else 1)
        assert kn.uniform(step, neuron, trial, point, stream, k0, k1) == u
        assert abs(kn.normal(step, neuron, trial, point, stream, k0, k1) - z) < 1e-14 * max(1, abs(z))


def test_normal_quantile_is_exact_out_to_the_last_tail():
    p = np.concatenate([10.0 ** np.linspace(-19.2, -1, 500), np.linspace(0.01, 0.4999, 500)])
    z = np.array([kn._upper_quantile(x) for x in p])
    assert np.max(np.abs(z / -special.ndtri(p) - 1)) < 4e-15


def test_normals_have_the_normal_law_and_neighbours_are_independent():
    """Moments and a Kolmogorov-Smirnov test over 4e5 draws; correlations along each axis of the key."""
    k = kn.key(5)
    z = kn.normal(np.arange(1000)[:, None], np.arange(400), 0, 0, kn.Stream.MEMBRANE, *k)
    n = z.size
    assert abs(z.mean()) * np.sqrt(n) < 4
    assert abs(z.var() - 1) * np.sqrt(n / 2) < 4
    assert abs((z**3).mean()) * np.sqrt(n / 15) < 4
    assert abs((z**4).mean() - 3) * np.sqrt(n / 96) < 4
    assert stats.kstest(z.ravel()[:50_000], "norm").pvalue > 1e-4
    others = {
        "step": (z[1:], z[:-1]),
        "two steps": (z[2:], z[:-2]),
        "neuron": (z[:, 1:], z[:, :-1]),
        "trial": (z, kn.normal(np.arange(1000)[:, None], np.arange(400), 1, 0, 0, *k)),
        "point": (z, kn.normal(np.arange(1000)[:, None], np.arange(400), 0, 1, 0, *k)),
        "stream": (z, kn.normal(np.arange(1000)[:, None], np.arange(400), 0, 0, kn.Stream.OU_CURRENT, *k)),
        "seed": (z, kn.normal(np.arange(1000)[:, None], np.arange(400), 0, 0, 0, *kn.key(6))),
    }
    for name, (a, b) in others.items():
        r = np.corrcoef(a.ravel(), b.ravel())[0, 1]
        assert abs(r) * np.sqrt(a.size) < 4, name


def test_uniforms_have_the_uniform_law_jointly():
    """Chi-square over the 10 x 10 squares of (bridge draw, escape draw)."""
    k = kn.key(8)
    u = kn.uniform(np.arange(500)[:, None], np.arange(400), 3, 0, kn.Stream.BRIDGE, *k)
    w = kn.uniform(np.arange(500)[:, None], np.arange(400), 3, 0, kn.Stream.ESCAPE, *k)
    counts = np.histogram2d(u.ravel(), w.ravel(), bins=10, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4
    assert u.min() > 0
    assert u.max() < 1


def test_seed_is_checked_and_drawn():
    assert kn.check_seed(None) != kn.check_seed(None)
    assert kn.check_seed(np.int64(7)) == 7
    for bad in (-1, 1.5, True, "1", 2**63):
        with pytest.raises(NsnnError, match="seed"):
            kn.check_seed(bad)
