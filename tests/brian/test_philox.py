"""Keyed noise against published vectors, an independent plain-Python Philox, and the laws it must have."""

from __future__ import annotations

import cmath
import math
import textwrap

import numpy as np
import pytest
from brian2 import Function, Network, NeuronGroup, ms
from brian2.codegen.generators.cython_generator import CythonCodeGenerator
from scipy import stats

from nsnn_neuro import brian
from nsnn_neuro.brian import philox as kn

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


COUNTERS = [(0, 0, 0, 0, 0), (7, 3, 2, 5, 4), (10**9, -1, 9, 70000, 1)]


@pytest.mark.parametrize(("step", "neuron", "trial", "point", "stream"), COUNTERS)
def test_uniforms_are_the_words_of_their_counter(step, neuron, trial, point, stream):
    """The documented layout: step >> 1 | neuron | trial | point * 256 + stream; halves for even and odd steps."""
    k0, k1 = kn.key(11)
    words = philox((step >> 1, neuron % 2**32, trial, (point << 8) | stream), (k0 % 2**32, k1 % 2**32))
    low, high = words[2:] if step % 2 else words[:2]
    u = ((((high << 32) | low) >> 12) + 0.5) / 2**52
    assert kn.uniform(step, neuron, trial, point, stream, k0, k1) == u


@pytest.mark.parametrize(
    "shapes", [((), (), ()), ((5,), (4, 1), ()), ((4, 0), (1,), ())]
)  # fmt: skip
def test_arguments_broadcast_and_each_element_is_that_of_a_single_call(shapes):
    steps, neurons, trials = (np.arange(3, 3 + math.prod(shape)).reshape(shape) for shape in shapes)
    each = np.broadcast_arrays(steps, neurons, trials)
    with pytest.raises(ValueError, match="broadcast"):
        kn.normal(np.zeros((4, 5), int), np.zeros(4, int), trials, 0, 1, 2, 3)
    drawn = kn.normal(steps, neurons, trials, 0, 1, 2, 3)
    assert np.shape(drawn) == each[0].shape
    single = [
        kn.normal(int(s), int(n), int(t), 0, 1, 2, 3) for s, n, t in zip(*(a.flat for a in each), strict=True)
    ]
    assert np.ravel(drawn).tolist() == single


@pytest.mark.parametrize(("step", "neuron", "trial", "point", "stream"), COUNTERS)
def test_a_path_has_crossed_where_the_uniform_number_is_below_the_probability(
    step, neuron, trial, point, stream
):
    where = (step, neuron, trial, point, stream, *kn.key(11))
    edge = -math.log(kn.uniform(*where))
    found = kn.crossed(*where, [0.0, edge - 1e-9, edge + 1e-9, kn.SURE, 1e100, math.inf])
    assert found.tolist() == [1, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(("step", "neuron", "trial", "point", "stream"), COUNTERS)
def test_normals_are_box_and_mullers_of_the_words_of_their_counter(step, neuron, trial, point, stream):
    """step >> 2 | neuron | trial | point * 256 + 128 + stream; cosine, sine, cosine, sine for four steps."""
    k0, k1 = kn.key(11)
    words = philox((step >> 2, neuron % 2**32, trial, (point << 8) | 128 | stream), (k0 % 2**32, k1 % 2**32))
    for turn in range(4):
        radius, angle = words[2:] if turn > 1 else words[:2]
        z = complex(0, 2 * math.pi * (angle + 0.5) / 2**32)
        z = math.sqrt(-2 * math.log((radius + 0.5) / 2**32)) * cmath.exp(z)
        z = z.imag if turn % 2 else z.real
        there = step - step % 4 + turn
        for found in (
            kn.normal(there, neuron, trial, point, stream, k0, k1),
            kn.normal_in_turn(turn, step, neuron, trial, point, stream, k0, k1),
        ):
            assert abs(found - z) < 1e-14


@pytest.mark.slow
@pytest.mark.compile
def test_normals_and_crossings_of_generated_code_are_those_of_numpy():
    """C's polynomials against the C library's functions: 1e5 blocks, and all pairs of the words where something changes."""
    n = 50_000
    edges = np.array([0, 1, 2**29, 2**30, 2**31, 3 * 2**30, 2**32 - 2, 2**32 - 1])[:, None] + np.arange(-2, 3)
    edges = (
        np.unique(np.concatenate([edges.ravel(), np.rint(2**32 * 2.0 ** -np.arange(0.5, 20, 0.5))])) % 2**32
    )
    radius, angle = (w.ravel() for w in np.meshgrid(edges, edges))
    pair = Function(lambda r, a: 0.0 * r, arg_units=[1, 1], return_unit=1, arg_types=["float"] * 2)
    code = kn.HEADER + "\nstatic inline double of_pair(double r, double a) {\n"
    code += "    return nsnn_box_muller((uint32_t)r, (uint32_t)a);\n}\n"
    code = f'cdef extern from *:\n    """\n{textwrap.indent(code, "    ")}    """\n    double of_pair(double r, double a) nogil\n'
    pair.implementations.add_implementation(CythonCodeGenerator, code=code, name="of_pair")
    with brian.running("cython"):
        group = NeuronGroup(
            n, "z : 1\ny : 1\nhit : 1", namespace=brian.functions(), dt=1 * ms, name="normals_of_c"
        )
        group.run_regularly(
            "z = keyed_normal(t_in_timesteps, i, 5, 3, 2, 11, -7)\n"
            "y = keyed_normal_in_turn(2, t_in_timesteps, i, 5, 3, 2, 11, -7)\n"
            "hit = keyed_crossed(t_in_timesteps, i, 5, 3, 1, 11, -7, 1.3)",
            name="normals_of_c_step",
        )
        pairs = NeuronGroup(
            radius.size, "r : 1\na : 1\nz : 1", namespace={"of_pair": pair}, dt=1 * ms, name="pairs_of_c"
        )
        pairs.r, pairs.a = radius, angle
        pairs.run_regularly("z = of_pair(r, a)", name="pairs_of_c_step")
        network = Network(group, pairs, name="normals_of_c_network")
        for step in range(8):
            network.run(1 * ms, namespace={})
            for found, there in ((group.z, step), (group.y, step - step % 4 + 2)):
                expected = kn.normal(there, np.arange(n), 5, 3, 2, 11, -7)
                assert np.abs(np.array(found[:]) - expected).max() < 1e-14
            crossed = kn.uniform(step, np.arange(n), 5, 3, 1, 11, -7) < math.exp(-1.3)
            np.testing.assert_array_equal(np.array(group.hit[:]), crossed)
        # the angle from the nearest quarter of a turn, where the cosine has its zeros
        near = np.where(angle >= 2**31, 2**32 - 1 - angle, angle) + 0.5
        expected = np.sqrt(-2 * np.log((radius + 0.5) / 2**32)) * np.sin(2 * np.pi * (2**30 - near) / 2**32)
        assert np.abs(np.array(pairs.z[:]) / expected - 1).max() < 1e-14


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
    for a, b in ((z[1:], z[:-1]), (z[:, 1:], z[:, :-1])):  # step, neuron; the other axes: below
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) * np.sqrt(a.size) < 4


def test_uniforms_have_the_uniform_law_jointly():
    """Chi-square over the 10 x 10 squares of (bridge draw, escape draw)."""
    k = kn.key(8)
    u = kn.uniform(np.arange(500)[:, None], np.arange(400), 3, 0, kn.Stream.BRIDGE, *k)
    w = kn.uniform(np.arange(500)[:, None], np.arange(400), 3, 0, kn.Stream.ESCAPE, *k)
    counts = np.histogram2d(u.ravel(), w.ravel(), bins=10, range=[[0, 1], [0, 1]])[0]
    assert stats.chisquare(counts.ravel()).pvalue > 1e-4
    assert u.min() > 0
    assert u.max() < 1
