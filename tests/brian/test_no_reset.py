"""Neurons without a reset: what counts as a spike, and their steps, against loops over the membrane and an ODE solver."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from brian2 import ms
from scipy.integrate import solve_ivp

import nsnn_neuro as nsnn
from nsnn_neuro import parameter


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class FitzHughNagumo(nsnn.ConductanceBased):
    """tau_m dv/dt = v - v^3 / 3 - w + drive, tau_w dw/dt = (v + a) / b - w."""

    tau_m: Any = parameter("s", bound="positive", default=1 * ms)
    tau_w: Any = parameter("s", bound="positive", default=15.625 * ms)
    v_rest: Any = parameter("1", default=-1.2)
    v_thresh: Any = parameter("1", default=1.0)
    a: Any = parameter("1", default=0.7)
    b: Any = parameter("1", default=0.8)
    leaky = False
    linear = "drive - w"
    nonlinear = "v - v**3 / 3"
    slow = {"w": ("tau_w", "(v + a) / b")}  # noqa: RUF012
    slow_start = {"w": "(v_rest + a) / b"}  # noqa: RUF012


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Rearmed(FitzHughNagumo):
    v_rearm: Any = parameter("1", default=0.0)


def run(cell: Any, noise: float, seconds: float = 0.7, engine: str = "numpy", dt: Any = 0.1 * ms) -> Any:
    block = nsnn.simulate(
        cell, nsnn.WhiteNoise(noise) if noise else None, nsnn.Constant(0.5), n_neurons=4, duration=1e3 * seconds * ms,
        dt=dt, seed=1, engine=engine, record_v=True,
    )  # fmt: skip
    segment = block.segments[0]
    counts = [len(train) for train in segment.spiketrains]
    return counts, np.asarray(segment.analogsignals[0].magnitude, dtype=float).T


def rises(v: np.ndarray, high: float, low: float) -> int:
    """Times that v rises above `high` after it was at or below `low`, one sample after the other."""
    count, armed = 0, True
    for x in v:
        if armed and x > high:
            count, armed = count + 1, False
        armed = armed or x <= low
    return count


@pytest.mark.slow
def test_spikes_with_a_rearm_level_are_those_of_a_loop_over_the_membrane() -> None:
    counts, v = run(Rearmed(), 0.3, engine="numpy")
    assert counts == [rises(one, 1.0, 0.0) for one in v]
    jittered, same = run(FitzHughNagumo(), 0.3, engine="numpy")
    np.testing.assert_array_equal(v, same)  # the level changes what is counted, not the membrane
    assert jittered == [rises(one, 1.0, 1.0) for one in same]
    assert sum(jittered) > 1.5 * sum(counts)
    at_threshold, _ = run(Rearmed(v_rearm=1.0), 0.3, engine="numpy")
    assert at_threshold == jittered


@pytest.mark.slow
def test_the_membrane_is_that_of_an_ode_solver_also_above_the_threshold() -> None:
    """Second order in dt: a limit at the threshold, as neurons with a reset have it, would change each spike."""

    def right(_: float, x: np.ndarray) -> list[float]:
        v, w = x
        return [v - v**3 / 3 - w + 0.5, ((v + 0.7) / 0.8 - w) / 15.625]

    times = np.arange(1000) * 0.1
    exact = solve_ivp(right, (0, 101), [-1.2, -0.5 / 0.8], t_eval=times, rtol=1e-10, atol=1e-12).y[0]
    errors = []
    for k in (1, 2, 4):
        _, v = run(FitzHughNagumo(), 0.0, 0.1, dt=0.1 / k * ms)
        errors.append(np.abs(v[0][::k] - exact).max())
    assert errors[0] < 0.05
    assert errors[1] / errors[0] < 0.35
    assert errors[2] / errors[1] < 0.35
