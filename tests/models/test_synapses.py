"""The synapses' texts, integrated by an ODE solver, against the closed form of their response; what is refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from brian2 import ms, mV
from helpers.refusals import assert_refused
from scipy.integrate import solve_ivp

from nsnn_neuro import AlphaSynapse, ConductanceSynapse, DeltaSynapse, ExponentialSynapse, Synapse, parameter

TAU = 5e-3


def response(synapse, weight, times):
    """The current or conductance at `times` after one spike at 0, from the record's texts alone."""
    values = {f.name: synapse.si(f.name) for f in synapse.parameter_fields()} | {
        "weight": weight,
        "exp": np.exp,
    }
    names = list(synapse.states)

    def slope(t, y):
        here = values | dict(zip(names, y, strict=True))
        return [eval(text, {}, here) for text in synapse.states.values()]

    start = [eval(synapse.on_arrival.get(name, "0"), {}, values) for name in names]
    path = solve_ivp(slope, (0, times[-1]), start, t_eval=times, method="DOP853", rtol=1e-11, atol=1e-14)
    return eval(synapse.current or synapse.conductance, {}, values | dict(zip(names, path.y, strict=True)))


@pytest.mark.parametrize(
    ("synapse", "closed"),
    [
        (ExponentialSynapse(5 * ms), lambda s: np.exp(-s)),
        (AlphaSynapse(5 * ms), lambda s: s * np.exp(1 - s)),
        (ConductanceSynapse(5 * ms, 0 * mV), lambda s: np.exp(-s)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_response_to_a_spike_is_the_closed_form(synapse, closed):
    times = np.linspace(0, 8 * TAU, 401)
    for weight in (0.7, -3e-4):
        error = np.abs(response(synapse, weight, times) - weight * closed(times / TAU))
        assert error.max() < 1e-9 * abs(weight) / 0.7


GOOD = {"states": {"x": "-x / tau"}, "on_arrival": {"x": "weight"}, "current": "x"}


def own(**texts):
    """A synapse with parameters tau and e_rev, and GOOD's texts but for those given."""
    fields = [("tau", Any, parameter("s", bound="positive")), ("e_rev", Any, parameter("V", "1"))]
    kind = dataclasses.make_dataclass(
        "Own", fields, bases=(Synapse,), namespace={**GOOD, **texts}, frozen=True, eq=False
    )
    return kind(5 * ms, 0 * mV)


def test_the_unit_of_a_weight_also_of_a_synapse_of_ones_own_that_mixes_states():
    for given, unit in ((DeltaSynapse(), "V"), (ConductanceSynapse(1 * ms, -70 * mV), "1")):
        assert (given.weight_unit("V"), given.weight_unit("1")) == (unit, "1")
    synapse = own(
        states={"x": "(3 * y - x) / tau", "y": "-y / (tau * sqrt(2))"},
        on_arrival={"x": "0.1 * weight", "y": "weight * exp(-1)"},
        current="x - 0.5 * y",
    )
    assert synapse.weight_unit("V") == "V"
    assert own(current=None, conductance="2 * x", reversal="e_rev").weight_unit("V") == "1"
    assert own(states={}, current=None, on_arrival={"v": "weight"}).weight_unit("V") == "V"


def test_texts_that_do_not_fit_are_named():
    rows = [
        ({"states": {"x": "(1 - x) / tau"}}, "Own.states['x']", "linear in the states, x"),
        ({"current": "x + 1"}, "Own.current = 'x + 1'", "expected an expression linear"),
        ({"current": "abs(x)"}, "Own.current", "linear in the states"),
        ({"states": {"x": "-x / tau_syn"}}, "has ['tau_syn']", "expected x, parameters of the synapse"),
        ({"states": {"x": "-x / "}}, "Own.states['x']", "expected an expression in Brian2's syntax"),
        ({"on_arrival": {"x": "weight * u"}}, "has ['u']", "expected weight, parameters"),
        ({"on_arrival": {"z": "weight"}}, "adds to ['z']", "expected a state"),
        ({"on_arrival": {}}, "on_arrival is empty", "expected"),
        ({"states": {"tau": "-tau"}}, "['tau']", "state or parameter"),
        ({"conductance": "x", "reversal": "e_rev"}, "a conductance and a current", "expected"),
        ({"current": None, "conductance": "x"}, "Own.reversal = None", "the name of a parameter"),
        ({"current": None}, "nothing reaches the membrane", "no current or conductance"),
    ]
    assert_refused((lambda texts=texts: own(**texts), *told) for texts, *told in rows)
