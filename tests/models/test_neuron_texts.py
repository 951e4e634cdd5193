"""Mistakes in the texts of a user-defined neuron are errors when it is created; the message names class, text and cure."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import pytest
from brian2 import ms, mV
from helpers.refusals import assert_refused

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, parameter
from nsnn_neuro.models.neurons.expressions import value_of

UNITS = dict.fromkeys(("tau_m", "tau_w", "tau_refrac"), "s")
UNITS |= dict.fromkeys(("v_rest", "v_reset", "v_thresh", "b"), "V") | {"a": "1"}
VALUES = {
    "tau_m": 10 * ms, "tau_w": 50 * ms, "tau_refrac": 2 * ms,
    "v_rest": 0 * mV, "v_reset": 0 * mV, "v_thresh": 10 * mV, "b": 1 * mV, "a": 0.1,
}  # fmt: skip
SLOW = {"linear": "v_rest + drive - v - w", "slow": {"w": ("tau_w", "a * (v - v_rest)")}}


def declared(base: type, units: dict[str, str], **texts: Any) -> Any:
    fields = {name: parameter(unit) for name, unit in units.items()}
    kind = type("Mine", (base,), {"__annotations__": dict.fromkeys(fields, Any), **fields, **texts})
    kind = dataclasses.dataclass(frozen=True, eq=False, kw_only=True)(kind)
    return kind(**{name: {**VALUES, "v_rearm": 5 * mV}[name] for name in units})


def neuron(**texts: Any) -> Any:
    return declared(nsnn.IntegrateAndFire, UNITS, **texts)


def run(cell: Any, noise: Any = None) -> int:
    block = nsnn.simulate(cell, noise, nsnn.Constant(20 * mV), duration=100 * ms, engine="numpy", seed=1)
    return len(block.segments[0].spiketrains[0])


def test_a_mistake_in_a_text_is_named_when_the_neuron_is_created() -> None:
    rows: list[tuple[dict[str, Any], str, str]] = [
        ({"linear": "v_rest + drive - v - g"}, "linear", "declare it as a parameter, g: Any = parameter"),
        ({"linear": "v_rst + drive - v"}, "linear", "did you mean 'v_rest'?"),
        ({"linear": "(v_rest + drive - v) / tau_m"}, "linear", "has the unit V/s: expected a voltage"),
        ({"linear": "v_rest + drive - v + a"}, "linear", "Expression"),
        ({"linear": None}, "linear", "expected a text"),
        ({"nonlinear": "v^2 / b"}, "nonlinear", "with ** for powers"),
        ({"nonlinear": "v +* 2"}, "nonlinear", "expected an expression in Brian2's syntax"),
        ({"nonlinear": "b * heavi(v)"}, "nonlinear", "'heavi' is not declared"),
        ({"nonlinear": "b * np.exp(v / b)"}, "nonlinear", "'np' is not declared"),
        ({"nonlinear": "b * randn()"}, "nonlinear", "do not depend on the seed"),
        ({"threshold": "v"}, "threshold", "such as 'v_thresh'"),
        ({"reset": "a"}, "reset", "has the unit 1: expected a voltage"),
        ({"moving": "v_thresh + b"}, "moving", "leave out v_thresh"),
        ({"moving": "-10 * b"}, "moving", "is 0 V, not above v_reset = 0 V"),
        ({**SLOW, "moving": "a * w", "slow_start": {"w": "-4 * 10**2 * mV / 2"}}, "moving", "is -0.01 V, not above"),
        ({"slow": {"w": ("tau_x", "a * v")}}, "slow['w']", "did you mean 'tau_w'?"),
        ({"slow": {"w": "a * v"}}, "slow['w']", "pairs of texts"),
        ({"slow": ["w"]}, "slow", "expected a dict from names to pairs of texts"),
        ({"slow": {"b": ("tau_w", "a * v")}}, "slow", "expected another name"),
        ({"slow": {"w": ("tau_w", "1 / (1 + exp(-v / b))")}}, "slow['w']", "has the unit 1: expected a voltage"),
        ({**SLOW, "slow_start": {"w": "c"}}, "slow_start['w']", "'c' is not declared"),
        ({**SLOW, "after_spike": "w"}, "after_spike", "expected a statement such as 'w += b'"),
        ({**SLOW, "after_spike": "w += a"}, "after_spike", "the unit of w"),
        ({**SLOW, "after_spike": "w *= b"}, "after_spike", "a factor of w"),
        ({**SLOW, "after_spike": "w *= 1 - a"}, "after_spike", "'w *= (1 - a)'"),
        ({**SLOW, "after_spike": "b += 1*mV"}, "after_spike", "expected one of v, w"),
        ({"after_spike": "v += b * randn ()"}, "after_spike", "randn() draws"),
        ({"channels": {"k": ("b", "v_rest")}}, "channels['k']", "expected a plain number"),
        ({"gates": {"n": ("1 / ms", "a")}}, "gates['n']", "expected a frequency"),
        ({"nonlinaer": "v"}, "nonlinaer", "did you mean 'nonlinear'?"),
    ]  # fmt: skip
    assert_refused(
        (lambda texts=texts: neuron(**texts), f"Mine.{place}", cure) for texts, place, cure in rows
    )


CORRECT: list[dict[str, Any]] = [
    {"nonlinear": "clip(v, 0*mV, b) * int(v > v_rest) + b * sin(2 * pi * t / tau_w)"},
    {**SLOW, "after_spike": "w += b  # a jump, no rand() here\nw *= (1 - a)", "_notes": "rand()"},
    {**SLOW, "after_spike": "jump = a * v; w += jump"},
    {**SLOW, "moving": "w", "slow_start": {"w": "b + v_rest"}},
]


def test_correct_texts_run() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neuron(_source="Own 2003", helper=lambda self: 1, driftt="0", **SLOW, after_spike="w += b")
        neuron(**{**SLOW, "slow": {"w": ("tau_w", "0.5 * a * w + a * v")}, "after_spike": "w += b"})
    for texts in CORRECT:
        assert run(neuron(**texts), nsnn.WhiteNoise(1 * mV)) > 1, texts


@pytest.mark.slow
def test_a_neuron_that_stays_above_its_threshold_is_refused() -> None:
    for change in ("", "w += 0.1 * v"):  # v is read, and not changed
        with pytest.raises(NsnnError, match="v stays above its threshold"):
            run(neuron(**{**SLOW, "after_spike": change, "reset": "v"}))
    assert run(neuron(after_spike="v -= 5 * b", reset="v"), nsnn.WhiteNoise(1 * mV)) > 0
    # where chance decides, or the threshold moves, it is a model
    slow = {**SLOW, "moving": "w", "after_spike": "w += 20 * b", "reset": "v"}
    assert run(neuron(**slow)) < 10
    assert run(neuron(reset="v"), nsnn.EscapeNoise(nsnn.Gaussian(20 * mV))) > 0


CHANNELS = {"tau_m": "s", "v_rest": "V", "v_thresh": "V"}


def test_parameters_that_are_needed_or_have_no_effect_are_named() -> None:
    rows: list[tuple[type, list[str], dict[str, Any], str, str]] = [
        (nsnn.ConductanceBased, ["tau_m", "v_thresh"], {"linear": "drive", "leaky": False},
         "Mine needs the parameter v_rest", 'the start of v; declare it as a parameter, v_rest: Any = parameter("V")'),
        (nsnn.ConductanceBased, [*CHANNELS, "tau_refrac"], {},
         "Mine has the parameter tau_refrac", "no effect in this kind of neuron: remove it. If noise makes one spike"),
        (nsnn.ConductanceBased, list(CHANNELS), {"linear": "v_reset + drive - v"},
         "the name 'v_reset' is not declared", 'declare it as a parameter, v_reset: Any = parameter("V")'),
        (nsnn.IntegrateAndFire, ["tau_m", "v_rest", "v_thresh", "tau_refrac"], {},
         "Mine needs the parameter v_reset", "the value of v after a spike; declare it"),
        (nsnn.IntegrateAndFire, ["tau_m", "v_rest", "v_reset", "v_thresh"], {},
         "Mine needs the parameter tau_refrac", "the time for which v stays there; declare it"),
    ]  # fmt: skip
    assert_refused(
        (lambda made=(base, {n: UNITS[n] for n in units}), texts=texts: declared(*made, **texts), *told)
        for base, units, texts, *told in rows
    )


def test_texts_that_look_wrong_are_warnings() -> None:
    decay = {"slow": {"w": ("tau_w", "a * v - w")}}
    for texts, message in (
        ({"linear": "v_rest + b - v"}, "no text of Mine uses drive: a stimulus has no effect"),
        (SLOW | {"slow": {"w": ("tau_w", "(-w)")}}, "w relaxes to its target"),
        (SLOW | decay, "w relaxes to its target"),
    ):
        with pytest.warns(UserWarning, match=message) as caught:
            neuron(**texts)
        assert [w.filename for w in caught] == [__file__]


def test_a_stimulus_with_random_text_and_a_rearm_level_above_the_threshold_are_refused() -> None:
    class Random(nsnn.Constant):
        text = "v * randn()"

    cell = declared(nsnn.ConductanceBased, {**CHANNELS, "v_rearm": "V"})
    rows = [
        (lambda: Random(1 * mV), "Random.text = 'v * randn()'", "do not depend on the seed"),
        (lambda: dataclasses.replace(cell, v_rearm=20 * mV), "v_rearm = 20. mV", "not above v_thresh = 10. mV"),
    ]  # fmt: skip
    assert_refused(rows)


@pytest.mark.parametrize(
    "text", ["(lambda: open('made', 'w'))()", "v.real", "[x for x in (1,)]", "'v' * 3", "f'{v}'"]
)
def test_a_text_cannot_reach_python(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`value_of` evaluates texts; this is no public door, as a neuron's own checks refuse some of these before."""
    monkeypatch.chdir(tmp_path)
    assert value_of(text, {"v": 2.0}) is None
    assert not list(tmp_path.iterdir())
