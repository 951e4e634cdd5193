"""Fuzzed parameters: a simulation or a network runs, or fails with a named error; never with a traceback of code generation."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from brian2 import Hz, Mohm, ms, mV
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_contract import EXAMPLES, IN_VOLTS, SOURCES, public

import nsnn_neuro as nsnn
from nsnn_neuro import Neuron, Noise, NsnnError, Stimulus

UNITS = {"s": ms, "V": mV, "Hz": Hz, "1": 1, "1/V": 1 / mV, "ohm": Mohm}
NUMBERS = st.one_of(
    st.floats(-200, 200),
    st.sampled_from([0.0, 1.0, -1.0, 1e-12, 1e-300, 1e6, 1e150, 1e300]),
    st.integers(-3, 3),
)


def values(field):
    """A number with one of the field's units, an array of 2 or 3 of them, or something that isn't a number at all."""

    def numbers(symbol):
        unit = UNITS[symbol]
        return st.one_of(
            NUMBERS.map(lambda x: x * unit),
            st.lists(NUMBERS, min_size=2, max_size=3).map(lambda xs: np.array(xs, float) * unit),
        )

    right = st.one_of(*(numbers(symbol) for symbol in field.metadata["units"]))
    return st.one_of(
        right, right, right, right, st.sampled_from([None, "x", 3 * ms, 2 * mV, float("nan"), [], 1 + 2j])
    )


@st.composite
def records(draw, kind, volts):
    """The example of a kind with up to three of its parameters fuzzed."""
    base = IN_VOLTS.get(kind, EXAMPLES[kind]) if volts else EXAMPLES[kind]
    arguments = {f.name: getattr(base, f.name) for f in dataclasses.fields(base)}
    fields = base.parameter_fields()
    for field in draw(st.lists(st.sampled_from(fields), max_size=3, unique=True)) if fields else ():
        arguments[field.name] = draw(values(field))
    return kind, arguments


MEMBERS = [c for c in public(Neuron) if c not in SOURCES]
QUIET = settings(max_examples=250, suppress_health_check=list(HealthCheck))


def made(drawn):
    return None if drawn is None else drawn[0](**drawn[1])


@pytest.mark.slow
@QUIET
@given(data=st.data())
def test_fuzzed_simulations_run_or_name_the_error(data):
    """Sets of neuron, noise and stimulus (units that fit or not), two steps each."""
    kind = data.draw(st.sampled_from(public(Neuron)))
    volts = data.draw(st.booleans()) or kind is nsnn.WangBuzsaki
    noise = data.draw(st.sampled_from([None, *public(Noise)]))
    stimulus = data.draw(st.sampled_from([None, *public(Stimulus)]))
    parts = [
        data.draw(records(k, volts)) if k is not None else None
        for k in (
            kind,
            None if noise is nsnn.EscapeNoise else noise,
            None if stimulus is nsnn.Recorded else stimulus,
        )
    ]
    escape = None
    if noise is nsnn.EscapeNoise:
        escape = data.draw(
            records(data.draw(st.sampled_from([*public(nsnn.Family), *public(nsnn.Hazard)])), volts)
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            neuron, chosen, drive = (made(p) for p in parts)
            if escape is not None:
                member = made(escape)
                chosen = (
                    nsnn.EscapeNoise(hazard=member)
                    if isinstance(member, nsnn.Hazard)
                    else nsnn.EscapeNoise(member)
                )
            if stimulus is nsnn.Recorded:
                drive = EXAMPLES[nsnn.Recorded]
            block = nsnn.simulate(
                neuron, chosen, drive, n_neurons=data.draw(st.integers(1, 3)), duration=1 * ms, dt=0.5 * ms, seed=1, engine="numpy",
                bridge=data.draw(st.booleans()),
            )  # fmt: skip
    except NsnnError:
        return
    assert len(block.segments) == 1


@pytest.mark.slow
@settings(QUIET, max_examples=60)
@given(data=st.data())
def test_fuzzed_networks_run_or_name_the_error(data):
    """A source and a population, any rule, synapse, weight, delay and release, two steps each."""
    kind = data.draw(st.sampled_from(MEMBERS))
    volts = kind is nsnn.WangBuzsaki or data.draw(st.booleans())
    weight = st.one_of(
        NUMBERS,
        NUMBERS.map(lambda x: x * mV),
        st.just(nsnn.Normal(0.5, 0.1)),
        st.just(nsnn.Between(0 * mV, 1 * mV)),
    )
    delay = st.one_of(NUMBERS.map(lambda x: x * ms), st.just(nsnn.Between(0 * ms, 2 * ms)), st.just(0.3))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = nsnn.Population(
                data.draw(st.integers(1, 4)), nsnn.PoissonSource(500 * Hz), name="source"
            )
            target = nsnn.Population(
                data.draw(st.integers(1, 4)), made(data.draw(records(kind, volts))), name="target"
            )
            wires = [
                nsnn.Projection(
                    data.draw(st.sampled_from([source, target])), target,
                    rule=made(data.draw(records(data.draw(st.sampled_from(public(nsnn.ConnectionRule))), False))),
                    synapse=made(data.draw(records(data.draw(st.sampled_from(public(nsnn.Synapse))), volts))),
                    weight=data.draw(weight), delay=data.draw(delay), release=data.draw(st.floats(-0.5, 1.5)),
                )
                for _ in range(2)
            ]  # fmt: skip
            block = nsnn.simulate(
                nsnn.Network([source, target], wires), duration=1 * ms, dt=0.5 * ms, seed=1, engine="numpy"
            )
    except NsnnError:
        return
    assert len(block.segments[0].spiketrains) == source.n + target.n
