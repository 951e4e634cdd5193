"""Slow variables: intervals of adapting neurons against an ODE solver, their starts, their order in dt, texts that do not fit."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Mohm, ms, mV, nS, pA, pF
from helpers.refusals import assert_refused
from scipy.integrate import solve_ivp

import nsnn_neuro as nsnn
from nsnn_neuro import parameter

GIF = nsnn.GIF(
    tau_m=15 * ms, v_rest=-70 * mV, v_reset=-60 * mV, v_thresh=-50 * mV, tau_refrac=3 * ms, tau_w=80 * ms, b=1.5 * mV,
    tau_thresh=40 * ms, b_thresh=3 * mV,
)  # fmt: skip
# the spike is counted where the upstroke still takes several steps of 0.05 ms
ADEX = nsnn.AdEx(
    tau_m=9.4 * ms, v_rest=-70.6 * mV, v_reset=-65 * mV, v_thresh=-50.4 * mV, delta_T=2 * mV, v_spike=-46 * mV,
    tau_refrac=2 * ms, tau_w=100 * ms, a=0.5, b=3 * mV,
)  # fmt: skip
CELLS = {"GIF": (GIF, (32, 60)), "AdEx": (ADEX, (34, 60))}  # drives in mV
END = 120.0  # ms


class Equations:
    """The equations of a GIF or AdEx neuron in mV and ms, written out here once more; the state is V, w, lift."""

    def __init__(self, cell, drive):
        self.p = {
            f.name: (1 if f.name == "a" else 1e3) * float(np.asarray(cell.si(f.name)))
            for f in dataclasses.fields(cell)
        }
        self.drive, self.exponential = drive, isinstance(cell, nsnn.AdEx)

    def pull(self, v):
        return self.p["a"] * (v - self.p["v_rest"]) if self.exponential else 0.0

    def rhs(self, _, y):
        p, (v, w, lift) = self.p, y
        upstroke = p["delta_T"] * np.exp((v - p["v_thresh"]) / p["delta_T"]) if self.exponential else 0.0
        fading = 0.0 if self.exponential else -lift / p["tau_thresh"]
        return [
            (p["v_rest"] - v + upstroke - w + self.drive) / p["tau_m"],
            (self.pull(v) - w) / p["tau_w"],
            fading,
        ]

    def distance(self, _, y):
        return y[0] - self.p["v_spike"] if self.exponential else y[0] - self.p["v_thresh"] - y[2]

    distance.__dict__.update(terminal=True, direction=1)

    def after(self, y):
        """The state at the end of the refractory period that follows a spike in state y."""
        p = self.p
        held, w = self.pull(p["v_reset"]), y[1] + p["b"]
        lift = (
            0.0 if self.exponential else (y[2] + p["b_thresh"]) * np.exp(-p["tau_refrac"] / p["tau_thresh"])
        )
        return [p["v_reset"], held + (w - held) * np.exp(-p["tau_refrac"] / p["tau_w"]), lift]

    def spikes(self, w=0.0, lift=0.0, *, grid=None, end=END):
        """Spike times (ms) by an adaptive solver with events; with `grid` a spike is at the first grid point beyond threshold."""
        given: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-9, "method": "DOP853"}
        t, y, found = 0.0, [self.p["v_rest"], w, lift], []
        while True:
            run = solve_ivp(self.rhs, (t, end), y, events=self.distance, **given)
            if not run.t_events[0].size:
                return np.array(found)
            t, y = run.t_events[0][0], run.y_events[0][0]
            if grid is not None:
                later = np.ceil(t / grid - 1e-9) * grid
                y = solve_ivp(self.rhs, (t, later), y, **given).y[:, -1] if later > t else y
                t = later
            if t > end:
                return np.array(found)
            found.append(t)
            y, t = self.after(y), t + self.p["tau_refrac"]


def simulated(cell, drives, dt, **given):
    """Times (ms) of the steps with spikes, for each drive."""
    block = nsnn.simulate(
        cell, stimulus=nsnn.Constant(drives * mV), n_neurons=len(drives), duration=END * ms, dt=dt * ms,
        **{"engine": "numpy", **given},
    )  # fmt: skip
    return [1e3 * train.magnitude for train in block.segments[0].spiketrains]


def interval_errors(found, exact, dt):
    """Mean error of an interval in steps, for each drive."""
    errors = []
    for one, other in zip(found, exact, strict=True):
        n = min(len(one), len(other))
        assert abs(len(one) - len(other)) <= 1
        assert n > 3
        errors.append(((one[n - 1] - one[0]) - (other[n - 1] - other[0])) / (n - 1) / dt)
    return np.array(errors)


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_intervals_of_adapting_neurons_have_no_error_of_first_order(name):
    """With the bridge a spike is in the middle of its step: over 200 drives the mean error of an interval is 0 steps, |z| < 4."""
    cell, between = CELLS[name]
    drives = np.random.default_rng(1).uniform(*between, 200)
    exact = [Equations(cell, drive).spikes() for drive in drives]
    errors = interval_errors(simulated(cell, drives, 0.05), exact, 0.05)
    assert abs(errors.mean()) < 4 * errors.std() / np.sqrt(200)
    assert errors.std() / np.sqrt(200) < 0.012


@pytest.mark.slow
@pytest.mark.parametrize("name", CELLS)
def test_without_the_bridge_adapting_neurons_are_an_ode_tested_on_the_grid(name):
    """A spike is at the end of its step: 40 drives give the steps of a solver that looks at the threshold once a step."""
    cell, between = CELLS[name]
    drives = np.random.default_rng(2).uniform(*between, 40)
    exact = [Equations(cell, drive).spikes(grid=0.05) for drive in drives]
    found = simulated(cell, drives, 0.05, bridge=False)
    errors = interval_errors(found, exact, 0.05)
    assert abs(errors.mean()) <= 4 * errors.std() / np.sqrt(40)
    same = [
        len(a) == len(b) and np.allclose(a + 0.05, b, rtol=0, atol=1e-6)
        for a, b in zip(found, exact, strict=True)
    ]
    assert np.mean(same) > 0.96  # room for one that meets the threshold within rounding of a grid point


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "starts"),
    [(GIF, {"w": 6.0, "lift": 4.0}), (ADEX, {"w": 8.0})],
    ids=CELLS,
)
def test_slow_variables_start_where_they_are_set(cell, starts):
    """First spikes within a step of an ODE solver's, by default from 0; a value for each neuron."""
    plain = dataclasses.replace(
        cell, **{f"{x}_start": np.array([0.0, value]) * mV for x, value in starts.items()}
    )
    drives = np.array([50.0, 50.0])
    found = [train[0] + 0.025 for train in simulated(plain, drives, 0.05)]
    solver = Equations(cell, 50.0)
    exact = [solver.spikes(end=40.0)[0], solver.spikes(**starts, end=40.0)[0]]
    assert exact[1] > exact[0] + 1
    np.testing.assert_allclose(found, exact, rtol=0, atol=0.026)
    assert simulated(cell, drives[:1], 0.05)[0][0] + 0.025 == found[0]
    described = cell.describe()
    assert [described[f"{x}_start"] for x in starts] == [{"value": 0.0, "unit": "V"}] * len(starts)


def test_a_gif_without_current_or_threshold_needs_no_parameters_of_them():
    """The same spikes as with the time constants written out, and as those of an LIF."""
    lif = {name: getattr(GIF, name) for name in ("tau_m", "v_rest", "v_reset", "v_thresh", "tau_refrac")}
    current = {"tau_w": GIF.tau_w, "b": GIF.b}
    threshold = {"tau_thresh": GIF.tau_thresh, "b_thresh": GIF.b_thresh}
    plain = nsnn.GIF(**lif, tau_w=7 * ms, b=0 * mV, tau_thresh=9 * ms, b_thresh=0 * mV)
    for short, full in (
        (nsnn.GIF(**lif, **current), dataclasses.replace(GIF, b_thresh=0 * mV)),
        (nsnn.GIF(**lif, **threshold), dataclasses.replace(GIF, b=0 * mV)),
        (nsnn.GIF(**lif), plain),
        (nsnn.GIF(**lif), nsnn.LIF(**lif)),
    ):
        spikes = [simulated(cell, np.array([40.0]), 0.1)[0].tolist() for cell in (short, full)]
        assert spikes[0] == spikes[1] != []


@dataclasses.dataclass(frozen=True, eq=False, kw_only=True)
class Cascade(nsnn.LIF):
    """A drive that is filtered twice, and a threshold that follows the membrane."""

    tau_x: Any = parameter("s", bound="positive")
    x_0: Any = parameter("V")
    linear: ClassVar[str] = "v_rest + drive - v + y"
    slow: ClassVar[dict[str, tuple[str, str]]] = {
        "x": ("tau_x", "2 * drive - 0.5 * y"),
        "y": ("tau_m", "x + 0.1 * v"),
        "lift": ("tau_m", "0.4 * (v - v_rest)"),
    }
    slow_start: ClassVar[dict[str, str]] = {"x": "x_0 + v_rest"}
    moving: ClassVar[str] = "lift"


CASCADE = Cascade(
    tau_m=10 * ms,
    v_rest=-1 * mV,
    v_reset=0 * mV,
    v_thresh=24 * mV,
    tau_refrac=0 * ms,
    tau_x=4 * ms,
    x_0=3 * mV,
)


def cascade(drive):
    """The equations of CASCADE in mV and ms, for a constant drive."""

    def rhs(_, y):
        v, x, slow, lift = y
        return [
            (-1 + drive - v + slow) / 10,
            (2 * drive - 0.5 * slow - x) / 4,
            (x + 0.1 * v - slow) / 10,
            (0.4 * (v + 1) - lift) / 10,
        ]

    return rhs


AT_START = [-1.0, 2.0, 0.0, 0.0]


@pytest.mark.slow
def test_coupled_slow_variables_are_second_order_in_dt():
    """The membrane at 30 ms, of variables that drive each other and see a step of the drive: errors fall by four as dt halves."""
    before = solve_ivp(cascade(0.0), (0, 12), AT_START, rtol=1e-11, atol=1e-11).y[:, -1]
    exact = solve_ivp(cascade(14.0), (12, 30), before, rtol=1e-11, atol=1e-11).y[0, -1]
    errors = []
    for dt in (0.4, 0.2, 0.1):
        block = nsnn.simulate(
            dataclasses.replace(CASCADE, v_thresh=1e3 * mV), stimulus=nsnn.Step(14 * mV, 12 * ms, 60 * ms),
            duration=32 * ms, dt=dt * ms, engine="numpy", record_v=[0],
        )  # fmt: skip
        v = block.segments[0].analogsignals[-1].rescale("mV").magnitude[:, 0]
        errors.append(v[round(30 / dt)] - exact)
    assert abs(errors[0]) < 0.02
    np.testing.assert_allclose(np.divide(errors[:-1], errors[1:]), 4, atol=0.4)


def texts(**given):
    """A neuron of its own with these texts."""
    kind = type("Own", (nsnn.GIF,), given)
    return kind(**{f.name: getattr(GIF, f.name) for f in dataclasses.fields(GIF)})


REFUSED = [
    (lambda: texts(leaky=False), "Own.linear = 'v_rest ", "with leaky = False: expected no v"),
    (
        lambda: texts(linear="v_rest - 2*v"),
        "Own.linear = 'v_rest - 2*v'",
        "with leaky = True: expected -v once",
    ),
    (lambda: texts(linear="v_rest +"), "Own.linear = 'v_rest +'", "expected an expression"),
    (lambda: texts(slow_start={"u": "b"}), "Own.slow_start has ['u']", "expected variables of Own.slow"),
    (lambda: dataclasses.replace(GIF, lift_start=1.0), "lift_start = 1.0", "expected the same unit"),
    (lambda: dataclasses.replace(ADEX, w_start=1 * ms), "w_start of AdEx = 1. ms", "expected a voltage"),
    (lambda: dataclasses.replace(GIF, tau_w=None), "b = 1.5 mV", "tau_w="),
    (
        lambda: dataclasses.replace(GIF, tau_thresh=None, b_thresh=None, lift_start=1 * mV),
        "lift_start = 1. mV",
        "tau_thresh=",
    ),
]


def test_texts_and_starts_that_do_not_fit_are_named():
    assert_refused(REFUSED)


@pytest.mark.slow
def test_a_slow_variable_may_relax_to_zero_in_any_writing():
    """Brian2 drops the unit of a product with 0, and then misses the name of the unit."""

    def spikes(target):
        cell = texts(slow={"w": ("tau_w", target), "lift": ("tau_thresh", "0 * lift")})
        block = nsnn.simulate(
            cell, nsnn.WhiteNoise(2 * mV), nsnn.Constant(40 * mV), duration=200 * ms, seed=1, engine="numpy"
        )
        return block.segments[0].spiketrains[0].magnitude

    assert spikes("0 * w").size > 3
    np.testing.assert_array_equal(spikes("0.0 * volt"), spikes("0 * w"))


BRETTE_GERSTNER: dict[str, Any] = {
    "C": 281 * pF, "g_L": 30 * nS, "E_L": -70.6 * mV, "V_T": -50.4 * mV, "Delta_T": 2 * mV, "V_peak": 20 * mV,
    "V_reset": -70.6 * mV, "a": 4 * nS, "tau_w": 144 * ms, "b": 80.5 * pA,
}  # fmt: skip


def literature(current: float, duration: float) -> list[float]:
    """Spike times (ms) of Brette and Gerstner's AdEx, their equations in pF, nS, pA, mV and ms, by an ODE solver."""

    def rhs(_: float, y: np.ndarray) -> list[float]:
        v, w = y
        upstroke = 30 * 2 * np.exp((v + 50.4) / 2)
        return [(-30 * (v + 70.6) + upstroke - w + current) / 281, (4 * (v + 70.6) - w) / 144]

    def peak(_: float, y: np.ndarray) -> float:
        return float(y[0])  # at 0 mV, 1e-10 ms before the peak of 20 mV

    peak.__dict__.update(terminal=True, direction=1)
    times, start, state = [], 0.0, [-70.6, 0.0]
    while True:
        part = solve_ivp(rhs, (start, duration), state, events=peak, rtol=1e-8, atol=1e-8)
        if not part.t_events[0].size:
            return times
        start, state = part.t_events[0][0], [-70.6, part.y_events[0][0][1] + 80.5]
        times.append(start)


def test_an_adex_in_the_units_of_the_literature_fires_as_its_equations_say():
    cell, g_L = nsnn.AdEx.from_pA(**BRETTE_GERSTNER), 30 * nS
    current = neo.AnalogSignal(np.full(800, 800.0), units="pA", sampling_period=0.1 * pq.ms)
    expected = literature(800.0, 80.0)
    assert len(expected) == 3
    for drive in (nsnn.Constant(800 * pA / g_L), nsnn.Filtered(current, gain=1 / g_L)):
        block = nsnn.simulate(cell, None, drive, duration=80 * ms, dt=0.01 * ms, engine="numpy")
        times = block.segments[0].spiketrains[0].rescale("ms").magnitude
        assert len(times) == 3
        off = np.diff(
            times - np.array(expected), prepend=0.0
        )  # of intervals: half a step late, and on the grid
        assert np.abs(off).max() <= 0.01


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        (nsnn.LIF, {"R": 40 * Mohm, "tau_m": 8 * ms}, {"tau_m": 8e-3, "tau_refrac": 0.0, "v_rest": -0.0706}),
        (nsnn.LIF, {"R": 40 * Mohm, "C": 200 * pF, "tau_refrac": 2 * ms}, {"tau_m": 8e-3, "tau_refrac": 2e-3}),
        (nsnn.EIF, {"g_L": 10 * nS, "C": 200 * pF, "Delta_T": 2 * mV, "V_peak": 0 * mV}, {"tau_m": 0.02, "v_spike": 0.0}),
        (
            nsnn.GIF,
            {"g_L": 10 * nS, "C": 200 * pF, "tau_w": 80 * ms, "b": 20 * pA, "tau_thresh": 50 * ms, "b_thresh": 5 * mV},
            {"b": 2e-3, "b_thresh": 5e-3},
        ),
    ],
)  # fmt: skip
def test_parameters_of_the_literature_in_the_units_of_the_membrane(kind, given, expected):
    cell = kind.from_pA(E_L=-70.6 * mV, V_T=-50 * mV, V_reset=-60 * mV, **given)
    assert {name: cell.si(name) for name in expected} == pytest.approx(expected, rel=1e-12)


def test_what_has_no_leak_or_two_is_refused():
    potentials = {"E_L": -70 * mV, "V_T": -50 * mV, "V_reset": -60 * mV}
    cases = [
        (lambda: nsnn.LIF.from_pA(C=200 * pF, **potentials), "g_L = None", "30*nS"),
        (lambda: nsnn.LIF.from_pA(C=200 * pF, g_L=1 * nS, R=1 * Mohm, **potentials), "R = ", "one of"),
        (lambda: nsnn.LIF.from_pA(g_L=1 * nS, **potentials), "C = None", "tau_m"),
        (lambda: nsnn.LIF.from_pA(C=200 * pA, g_L=1 * nS, **potentials), "C = ", "a capacitance"),
        (lambda: nsnn.LIF.from_pA(C=200 * pF, g_L=1 * nS, V_t=1 * mV, **potentials), "V_t", "no argument"),
    ]
    assert_refused(cases)
