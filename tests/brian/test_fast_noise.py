"""Brian2's `xi`, `randn()` and `rand()` under fast_noise: their laws, their numbers, and that nothing of it stays behind."""

from __future__ import annotations

import contextlib

import brian2
import numpy as np
import pytest
from brian2 import Network, NeuronGroup, Synapses, ms, prefs
from brian2.core.functions import DEFAULT_FUNCTIONS
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, brian
from nsnn_neuro.brian import philox


def z_of_correlation(a, b):
    """The correlation of what has a known mean of 0, in standard errors."""
    return np.mean(a * b) / np.sqrt(np.mean(a**2) * np.mean(b**2)) * np.sqrt(a.size)


def draws(target, seed=1, n=1000, steps=60, fast=True):
    """(steps, n, 4): normals of a group's equations and a second group's, uniforms of both."""
    found = []
    with brian.running(target) as device, nsnn.fast_noise(seed) if fast else contextlib.nullcontext():
        groups = [
            NeuronGroup(n, "z : 1\nu : 1", dt=1 * ms, namespace={}, name=f"fast_draws_{k}") for k in range(2)
        ]
        network = Network(groups, name="fast_draws_network")
        for group in groups:
            step = group.run_regularly("z = randn()\nu = rand()", name=group.name + "_step", dt=1 * ms)
            monitor = brian2.StateMonitor(
                group, ["z", "u"], True, dt=1 * ms, when="end", name=group.name + "_m"
            )
            network.add(step, monitor)
            found.append(monitor)
        brian.run(network, steps * 1e-3, device, False)
        return np.stack([np.array(getattr(m, name)).T for name in "zu" for m in found], -1)


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.parametrize("target", ["numpy", "cython", "cpp"])
def test_draws_have_their_laws_and_are_independent_and_the_seed_makes_them(target):
    """Moments, Kolmogorov and Smirnov's test, correlations of numbers and of squares along every axis, over several buffers."""
    x = draws(target)
    z, u = x[..., :2], x[..., 2:]
    n = z.size
    assert abs(z.mean()) * np.sqrt(n) < 4
    assert abs(z.var() - 1) * np.sqrt(n / 2) < 4
    assert abs((z**3).mean()) * np.sqrt(n / 15) < 4
    assert abs((z**4).mean() - 3) * np.sqrt(n / 96) < 4
    for k in range(2):
        assert stats.kstest(z[..., k].ravel(), "norm").pvalue > 1e-4
        assert stats.kstest(u[..., k].ravel(), "uniform").pvalue > 1e-4
    assert u.min() > 0
    assert u.max() < 1
    # a buffer's quarters come from the same blocks: lags of a quarter of it in the order of drawing, group after group or, in C++,
    # each group by itself
    lags = (1, 2, 3, 4, 511, 512, 513, 1000, 1024, 1536, 2048)
    for f in (lambda y: y, lambda y: y**2 - 1, lambda y: y**3 - 3 * y):
        for y in (z.swapaxes(1, 2).ravel(), z[..., 0].ravel(), z[..., 1].ravel()):
            assert max(abs(z_of_correlation(f(y[lag:]), f(y[:-lag]))) for lag in lags) < 4
        assert abs(z_of_correlation(f(z[..., 0]), f(z[..., 1]))) < 4
    for y in (u.swapaxes(1, 2).ravel() - 0.5, u[..., 0].ravel() - 0.5, u[..., 1].ravel() - 0.5):
        assert max(abs(z_of_correlation(y[lag:], y[:-lag])) for lag in lags) < 4
    assert max(abs(z_of_correlation(u[..., j] - 0.5, z[..., k])) for j in range(2) for k in range(2)) < 4
    assert abs(z_of_correlation(u[..., 0].ravel() - 0.5, u[..., 1].ravel() - 0.5)) < 4
    # nothing comes twice
    assert np.unique(z).size == np.unique(u).size == n
    np.testing.assert_array_equal(x, draws(target))
    assert not np.intersect1d(x, draws(target, seed=2)).size


@pytest.mark.compile
def test_cythons_numbers_are_the_words_of_their_counter():
    """Block, its upper word, stream and kind; the key is the seed's, of another path than that of keyed noise."""
    n = 2048
    key = [np.uint64(k % 2**32) for k in philox.key(5, 0x66617374)]
    zero = np.uint64(0)
    with brian.running("cython"), nsnn.fast_noise(5):
        group = NeuronGroup(n, "z : 1\nu : 1", dt=1 * ms, namespace={}, name="fast_words")
        step = group.run_regularly("z = randn()\nu = rand()", name="fast_words_step", dt=1 * ms)
        Network(group, step, name="fast_words_network").run(2 * ms, namespace={})
        z, u = np.array(group.z[:]), np.array(group.u[:])  # of the second step: the second buffer
    for j in (0, 1, 511):
        words = philox.philox4x32(np.uint64(512 + j), zero, zero, np.uint64(2**31), *key)
        r = np.sqrt(-2 * np.log((np.array(words[::2], float) + 0.5) / 2**32))
        angle = 2 * np.pi * (np.array(words[1::2], float) + 0.5) / 2**32
        expected = np.concatenate([r * np.cos(angle), r * np.sin(angle)])
        assert np.abs(z[j::512] - expected).max() < 1e-13
    for j in (0, 1, 1023):
        words = philox.philox4x32(np.uint64(1024 + j), zero, zero, zero, *key)
        expected = [(((int(words[k + 1]) << 32 | int(words[k])) >> 12) + 0.5) / 2**52 for k in (0, 2)]
        assert u[j::1024].tolist() == expected


def test_the_free_membrane_of_euler_and_its_spikes():
    """xi, euler: v(t + dt) = a v + s z, stationary variance s²/(1 - a²), correlation a. A threshold thinned by rand() fires
    with its probability, a reset by randn() has its law, synapses take rand() of their own."""
    dt, tau, n = 0.5, 10.0, 4000
    a, s = 1 - dt / tau, np.sqrt(2 * dt / tau)
    with brian.running("numpy") as device, nsnn.fast_noise(3):
        group = NeuronGroup(
            n, "dv/dt = -v/tau + sqrt(2/tau)*xi : 1\nw : 1\ncount : 1\nsum_in : 1", method="euler",
            threshold="rand() < 0.02", reset="w = randn()\ncount += 1", dt=dt * ms, namespace={"tau": tau * ms}, name="fast_lif",
        )  # fmt: skip
        given = {"dt": dt * ms, "namespace": {}, "name": "fast_wires"}
        wires = Synapses(group, group, on_pre="sum_in_post += int(rand() < 0.3)", **given)
        wires.connect(j="i")
        network = Network(group, wires, name="fast_lif_network")
        brian.run(network, 200 * dt * 1e-3, device, False)
        v, w, count, sent = (np.array(x[:]) for x in (group.v, group.w, group.count, group.sum_in))
    variance = s**2 / (1 - a**2)
    assert abs(v.mean()) < 4 * np.sqrt(variance / n)
    assert abs(v.var() / variance - 1) < 4 * np.sqrt(2 / n)
    assert stats.kstest(v / np.sqrt(variance), "norm").pvalue > 1e-4
    fired = count.sum()
    assert abs(fired - 0.02 * 200 * n) < 4 * np.sqrt(0.02 * 0.98 * 200 * n)
    assert abs(count.var(ddof=1) / (200 * 0.02 * 0.98) - 1) < 4 * np.sqrt(2 / n + 0.25 / n)
    reset = w[count > 0]
    assert stats.kstest(reset, "norm").pvalue > 1e-4
    assert abs(sent.sum() - 0.3 * fired) < 4 * np.sqrt(0.21 * fired)  # each spike arrives in its own step


def test_stock_draws_are_as_if_it_had_never_been():
    """Implementations are the same objects, and the stock numbers go on where they were."""
    before = [DEFAULT_FUNCTIONS[name].implementations for name in ("randn", "rand")]
    state = np.random.get_state()  # noqa: NPY002
    found = []
    try:
        for used in (False, True):
            brian2.seed(7)
            brian2.devices.device.runtime_device.rand_buffer_index[:] = 0
            brian2.devices.device.runtime_device.randn_buffer_index[:] = 0
            rows = [draws("numpy", n=50, steps=5, fast=False)]
            if used:
                fast = draws("numpy", n=50, steps=5)
                assert not np.intersect1d(fast, rows[0]).size
            rows.append(draws("numpy", n=50, steps=5, fast=False))
            found.append(rows)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    np.testing.assert_array_equal(*found)
    assert [DEFAULT_FUNCTIONS[name].implementations for name in ("randn", "rand")] == before


def test_exceptions_and_nesting_put_back_what_was_there():
    functions = [DEFAULT_FUNCTIONS[name] for name in ("randn", "rand")]
    stock = [f.implementations for f in functions]
    with nsnn.fast_noise(1):
        outer = [f.implementations for f in functions]
        assert all(a is not b for a, b in zip(stock, outer, strict=True))
        with pytest.raises(ZeroDivisionError), nsnn.fast_noise(2):
            1 / 0  # noqa: B018
        assert all(a is f.implementations for a, f in zip(outer, functions, strict=True))
    assert all(a is f.implementations for a, f in zip(stock, functions, strict=True))


def test_an_inner_block_leaves_the_outer_ones_numbers():
    with brian.running("numpy"), nsnn.fast_noise(1):
        group = NeuronGroup(10, "z : 1", dt=1 * ms, namespace={}, name="fast_nested")
        step = group.run_regularly("z = randn()", name="fast_nested_step", dt=1 * ms)
        network = Network(group, step, name="fast_nested_network")

        def run():
            network.run(1 * ms, namespace={})
            return np.array(group.z[:])

        first = run()
        with nsnn.fast_noise(1):
            np.testing.assert_array_equal(run(), first)
        with nsnn.fast_noise(2):
            assert not np.intersect1d(run(), first).size
        second = run()
    with brian.running("numpy"), nsnn.fast_noise(1):
        run()
        np.testing.assert_array_equal(run(), second)


@pytest.mark.slow
@pytest.mark.compile
def test_poisson_of_cython_draws_from_it():
    """Mean and variance of both of Brian2's algorithms, and the same numbers for the same seed."""
    found = []
    with brian.running("cython"):
        group = NeuronGroup(20_000, "a : 1\nb : 1", dt=1 * ms, namespace={}, name="fast_poisson")
        step = group.run_regularly("a = poisson(3)\nb = poisson(30)", name="fast_poisson_step", dt=1 * ms)
        network = Network(group, step, name="fast_poisson_network")
        for _ in range(2):
            with nsnn.fast_noise(6):
                network.run(1 * ms, namespace={})
            found.append([np.array(group.a[:]), np.array(group.b[:])])
    np.testing.assert_array_equal(*found)
    for x, mean in zip(found[0], (3, 30), strict=True):
        assert abs(x.mean() - mean) < 4 * np.sqrt(mean / x.size)
        assert abs(x.var() / mean - 1) < 4 * np.sqrt((2 + 1 / mean) / x.size)


def test_what_makes_no_sense_is_refused_at_the_call():
    for seed in (8 * ms, 1.5, -1, "1"):
        with pytest.raises(NsnnError, match="seed = "):
            nsnn.fast_noise(seed)
    threads = prefs.devices.cpp_standalone.openmp_threads
    try:
        prefs.devices.cpp_standalone.openmp_threads = 2
        with pytest.raises(NsnnError, match="openmp_threads = 2"), nsnn.fast_noise(1):
            pass
    finally:
        prefs.devices.cpp_standalone.openmp_threads = threads


def test_only_a_block_or_a_decorator_changes_something():
    before = DEFAULT_FUNCTIONS["randn"].implementations
    with pytest.warns(UserWarning, match="without `with` changes nothing") as caught:
        nsnn.fast_noise(seed=3)
    assert DEFAULT_FUNCTIONS["randn"].implementations is before
    later = nsnn.fast_noise(seed=3)
    with later as seed, nsnn.fast_noise() as drawn_seed:
        assert seed == 3 != drawn_seed

    @nsnn.fast_noise(seed=1)
    def inside():
        return DEFAULT_FUNCTIONS["randn"].implementations

    # each call of the function has a block of its own
    assert len({id(one) for one in (before, inside(), inside())}) == 3
    del later, inside
    assert DEFAULT_FUNCTIONS["randn"].implementations is before
    assert len(caught) == 1
