"""A step of stock Brian2 (docs/delta_jumps.md): the trains of decay, add, test with a raised threshold, a step later."""

from __future__ import annotations

import brian2 as b2
import numpy as np
import pytest
from brian2 import ms, mV

N, STEPS, TAU, DT, RESET, HOLD = 40, 1500, 20.0, 0.1, 10.0, 20  # ms, mV, steps
DECAY = np.exp(-DT / TAU)
EXTERNAL, J, G = 4, 0.22, 5.0  # jumps per step on each neuron, mV


def wiring():
    """Weights (targets, sources) in mV: the first 32 neurons excite, the others inhibit; a tenth of all pairs."""
    rng = np.random.default_rng(3)
    signs = np.where(np.arange(N) < 32, J, -G * J)
    return (rng.random((N, N)) < 0.1) * signs


WIRING, START = wiring(), np.random.default_rng(4).uniform(0, 20, N)


def brian(*, theta, delay):
    """Step and neuron of each spike of stock Brian2, PoissonInput at one jump per input and step."""
    names = {"tau": TAU * ms, "theta": theta * mV, "reset_to": RESET * mV}
    clock = b2.Clock(dt=DT * ms)
    cells = b2.NeuronGroup(
        N,
        "dv/dt = -v/tau : volt (unless refractory)",
        threshold="v > theta",
        reset="v = reset_to",
        refractory=HOLD * DT * ms,
        method="exact",
        namespace=names,
        clock=clock,
    )
    cells.v = START * mV
    targets, sources = np.nonzero(WIRING)
    synapses = b2.Synapses(
        cells, cells, "w : volt", on_pre="v_post += w", delay=delay * DT * ms, namespace={}, clock=clock
    )
    synapses.connect(i=sources, j=targets)
    synapses.w = WIRING[targets, sources] * mV
    external = b2.PoissonInput(cells, "v", EXTERNAL, 1 / (DT * ms), J * mV)
    monitor = b2.SpikeMonitor(cells)
    b2.Network(cells, synapses, external, monitor).run(STEPS * DT * ms, namespace={})
    return np.column_stack([np.round(monitor.t / (DT * ms)).astype(int), np.array(monitor.i)])


def recursion(*, theta, delay):
    """Decay, add, test, all in one step; V held for HOLD steps after the one of the spike, jumps lost meanwhile."""
    v, held, found = START.copy(), np.zeros(N, dtype=int), []
    arriving = np.zeros((STEPS + delay, N))
    for step in range(STEPS):
        free = held == 0
        held[~free] -= 1
        v[free] = v[free] * DECAY + EXTERNAL * J + arriving[step, free]
        fired = np.flatnonzero(free & (v > theta))
        v[fired], held[fired] = RESET, HOLD
        arriving[step + delay] += WIRING[:, fired].sum(axis=1)
        found.append(np.column_stack([np.full(len(fired), step), fired]))
    return np.concatenate(found)


@pytest.fixture
def numpy_target():
    """Brian2 on NumPy, whose PoissonInput draws from NumPy's legacy generator even where nothing is random."""
    kept, state = b2.prefs.codegen.target, np.random.get_state()  # noqa: NPY002
    b2.prefs.codegen.target = "numpy"
    yield
    b2.prefs.codegen.target = kept
    np.random.set_state(state)  # noqa: NPY002


def test_stock_brian2_is_the_recursion_with_a_raised_threshold(numpy_target):
    """threshold / DECAY, delays a step longer, every spike a step later; so t_ref is t_ref and not a step less."""
    plain = recursion(theta=20.0, delay=15)
    raised = recursion(theta=20.0 / DECAY, delay=16)
    # a threshold * DECAY and a delay a step shorter cure it
    for expected, theta, delay in ((raised, 20.0, 15), (plain, 20.0 * DECAY, 14)):
        expected[:, 0] += 1
        got = brian(theta=theta, delay=delay)
        np.testing.assert_array_equal(got, expected[expected[:, 0] < STEPS])
    assert len(raised) > 300
    assert len(raised) != len(plain)
