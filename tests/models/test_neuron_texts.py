"""Mistakes in the texts of a user-defined neuron are errors when it is created; the message names class, text and cure."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, parameter

pytestmark = pytest.mark.filterwarnings("ignore:.*that no text uses")
UNITS = {
    "tau_m": "s",
    "tau_w": "s",
    "tau_refrac": "s",
    "v_rest": "V",
    "v_reset": "V",
    "v_thresh": "V",
    "b": "V",
    "a": "1",
}
VALUES = {
    "tau_m": 10 * ms, "tau_w": 50 * ms, "tau_refrac": 2 * ms,
    "v_rest": 0 * mV, "v_reset": 0 * mV, "v_thresh": 10 * mV, "b": 1 * mV, "a": 0.1,
}  # fmt: skip
SLOW = {"linear": "v_rest + drive - v - w", "slow": {"w": ("tau_w", "a * (v - v_rest)")}}


def neuron(base: type = nsnn.IntegrateAndFire, **texts: Any) -> Any:
    fields = {name: parameter(unit) for name, unit in UNITS.items()}
    kind = type("Mine", (base,), {"__annotations__": dict.fromkeys(fields, Any), **fields, **texts})
    return dataclasses.dataclass(frozen=True, eq=False, kw_only=True)(kind)(**VALUES)


def run(cell: Any, noise: Any = None) -> int:
    block = nsnn.simulate(cell, noise, nsnn.Constant(20 * mV), duration=100 * ms, engine="numpy", seed=1)
    return len(block.segments[0].spiketrains[0])


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"linear": "v_rest + drive - v - g"},
         "Mine.linear = 'v_rest + drive - v - g': the name 'g' is not declared; declare it as a parameter, g: Any = parameter"),
        ({"linear": "v_rst + drive - v"},
         "Mine.linear = 'v_rst + drive - v': the name 'v_rst' is not declared; did you mean 'v_rest'?"),
        ({"linear": "(v_rest + drive - v) / tau_m"},
         "Mine.linear = '(v_rest + drive - v) / tau_m' has the unit V/s: expected a voltage such as 15*mV, the unit "
         "of the membrane; "
         "tau_m dv/dt is linear + nonlinear, so leave out the division by a time"),
        ({"linear": "v_rest + drive - v + a"}, "Mine.linear = 'v_rest + drive - v + a': Expression"),
        ({"linear": None}, "Mine.linear = None: expected a text"),
        ({"nonlinear": "v**2"}, "Mine.nonlinear = 'v**2' has the unit V^2: expected a voltage"),
        ({"nonlinear": "v +* 2"}, "Mine.nonlinear = 'v +* 2': expected an expression in Brian2's syntax"),
        ({"nonlinear": "v if v > b else b"},
         "Mine.nonlinear = 'v if v > b else b': expected an expression in Brian2's syntax (Unsupp"),
        ({"nonlinear": "b * heavi(v)"}, "Mine.nonlinear = 'b * heavi(v)': there is no function 'heavi': expected one of Brian2"),
        ({"nonlinear": "b * exp(v)"}, "Mine.nonlinear = 'b * exp(v)': Argument number 1 for function exp"),
        ({"threshold": "v"},
         "Mine.threshold = 'v': expected the name of a parameter such as 'v_thresh', the level of v for a spike"),
        ({"threshold": "v > v_thresh"}, "Mine.threshold = 'v > v_thresh': expected the name of a parameter"),
        ({"reset": "v = v_reset"},
         "Mine.reset = 'v = v_reset': expected an expression in Brian2's syntax; give the right-hand side "
         "alone, 'v_reset'"),
        ({"reset": "a"}, "Mine.reset = 'a' has the unit 1: expected a voltage such as 15*mV, the unit of the membrane"),
        ({"linear": "v_rest + drive - v + v_spike"},
         "the name 'v_spike' is not declared; declare it as a parameter, v_spike: Any = parameter(\"V\") with its unit"),
        ({"moving": "v_thresh + b"},
         "Mine.moving = 'v_thresh + b': it is added to v_thresh, which it contains; leave out v_thresh"),
        ({"moving": "-10 * b"},
         "Mine.moving = '-10 * b': at the start the threshold v_thresh + moving is 0 V, not above v_reset = 0 V; moving is what"),
        ({**SLOW, "moving": "a * w", "slow_start": {"w": "-4 * 10**2 * mV / 2"}},
         "Mine.moving = 'a * w': at the start the threshold v_thresh + moving is -0.01 V, not above v_reset = 0 V"),
        ({"moving": "lift"}, "Mine.moving = 'lift': the name 'lift' is not declared"),
        ({"slow": {"w": ("tau_x", "a * v")}},
         "Mine.slow['w'] = ('tau_x', ...): its time constant is to be the name of a parameter with "
         "the unit of time; did you mean 'tau_w'?"),
        ({"slow": {"w": ("b", "a * v")}}, "Mine.slow['w'] = ('b', ...): its time constant is to be the name of a parameter"),
        ({"slow": {"w": ("2 * tau", "a * v")}}, "Mine.slow['w'] = ('2 * tau', ...)"),
        ({"slow": {"w": "a * v"}},
         "Mine.slow['w'] = 'a * v': expected a dict from names to pairs of texts, (time constant, target)"),
        ({"slow": ["w"]}, "Mine.slow = ['w']: expected a dict from names to pairs of texts"),
        ({"slow": {"b": ("tau_w", "a * v")}}, "Mine.slow has 'b', which is a parameter or v"),
        ({"slow": {"w": ("tau_w", "a * v / tau_w")}},
         "Mine.slow['w'], target = 'a * v / tau_w' has the unit V/s: expected a voltage such "
         "as 15*mV, the unit of the membrane; w relaxes to its target, which is not divided by the time constant"),
        ({**SLOW, "slow_start": {"w": "c"}}, "Mine.slow_start['w'] = 'c': the name 'c' is not declared"),
        ({**SLOW, "after_spike": "w"}, "Mine.after_spike = 'w': expected a statement such as 'w += b'"),
        ({**SLOW, "after_spike": "w + b"}, "Mine.after_spike = 'w + b': expected a statement such as 'w += b'"),
        ({**SLOW, "after_spike": "w += a"},
         "Mine.after_spike = 'w += a' has the unit 1: expected a voltage such as 15*mV, the unit of w"),
        ({**SLOW, "after_spike": "w *= b"},
         "Mine.after_spike = 'w *= b' has the unit V: expected a plain number such as 0.5, a factor of w"),
        ({**SLOW, "after_spike": "w *= 1 - a"}, "Brian2 reads it as w = w * 1 - a; put parentheses, 'w *= (1 - a)'"),
        ({**SLOW, "after_spike": "w -= b - v"}, "Brian2 reads it as w = w - b - v; put parentheses, 'w -= (b - v)'"),
        ({**SLOW, "after_spike": "w += c"}, "Mine.after_spike = 'w += c': the name 'c' is not declared"),
        ({**SLOW, "after_spike": "b += 1*mV"},
         "Mine.after_spike = 'b += 1*mV': 'b' is a parameter, which stays as it is; expected one of v, w"),
        ({**SLOW, "after_spike": "u += b"}, "Mine.after_spike = 'u += b': 'u' is no variable of the neuron; expected one of v, w"),
        ({"channels": {"k": ("b", "v_rest")}}, "Mine.channels['k'], conductance = 'b' has the unit V: expected a plain number"),
        ({"channels": {"k": "4"}},
         "Mine.channels['k'] = '4': expected a dict from names to pairs of texts, (conductance, reversal)"),
        ({"gates": {"n": ("1 / ms", "a")}},
         "Mine.gates['n'], closing rate = 'a' has the unit 1: expected a frequency such as 10*Hz"),
        ({"nonlinear": "b * randn()"},
         "Mine.nonlinear = 'b * randn()': randn() draws numbers that do not depend on the seed; expected a text without random"),
        ({"slow": {"w": ("tau_w", "b * rand()")}}, "Mine.slow['w'] = 'b * rand()': rand() draws numbers"),
        ({"gates": {"n": ("1 / ms", "poisson(2) / ms")}}, "Mine.gates['n'] = 'poisson(2) / ms': poisson() draws"),
        ({"after_spike": "v += b * randn ()"}, "Mine.after_spike = 'v += b * randn ()': randn() draws"),
        ({"nonlinear": "b * np.exp(v / b)"},
         "Mine.nonlinear = 'b * np.exp(v / b)': functions have no module in these texts; write 'b * exp(v / b)'"),
        ({"nonlinear": "self.b - v"}, "Mine.nonlinear = 'self.b - v': names have no dot here, as in 'self.b': write 'b'"),
        ({**SLOW, "nonlinear": "w / b"},
         "Mine.nonlinear = 'w / b' has the unit 1: expected a voltage such as 15*mV, the unit of the membrane"),
        ({"nonlinear": "v^2 / b"}, "Mine.nonlinear = 'v^2 / b': ^ is no power here; write 'v**2 / b'"),
        ({"linear": "v_rest + I - v"}, "the name 'I' is not declared; the input is called 'drive', in the unit of the membrane"),
        ({"slow": {"w": ("tau_w", "1 / (1 + exp(-v / b))")}},
         "Mine.slow['w'], target = '1 / (1 + exp(-v / b))' has the unit 1: expected a voltage such as 15*mV, the unit of the "
         "membrane; slow variables have this unit: for a plain number write mV * (...) here and w/mV where it "
         "is used, or use a gate"),
        ({"slow": {"w": ("tau_w", "a * v")}, "nonlinear": "a * w * (v_rest - v)"},
         "has the unit V^2: expected a voltage such as 15*mV, the unit of the membrane; w, a variable of slow, is a voltage "
         "itself: write w/mV for a plain number"),
        ({"nonlinaer": "v"},
         "Mine.nonlinaer = 'v' is not used by a neuron; did you mean 'nonlinear'? (a name of your own may begin"),
        ({"rest": "0 * mV"}, "Mine.rest = '0 * mV' is not used by a neuron; did you mean 'reset'?"),
        ({"after_spikes": "v += b"}, "Mine.after_spikes = 'v += b' is not used by a neuron; did you mean 'after_spike'?"),
    ],
)  # fmt: skip
def test_a_mistake_in_a_text_is_named_when_the_neuron_is_created(texts: dict[str, Any], message: str) -> None:
    with pytest.raises(NsnnError) as caught:
        neuron(**texts)
    assert message in str(caught.value)


def test_an_attribute_that_is_not_used_is_a_warning() -> None:
    with pytest.warns(
        UserWarning, match="Mine.driftt = '0 . mV' is not used by a neuron: its texts are linear,"
    ) as caught:
        neuron(driftt="0 * mV")
    assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neuron(_source="Own 2003", helper=lambda self: 1, **SLOW, after_spike="w += b")


@pytest.mark.parametrize(
    "texts",
    [
        {"nonlinear": "clip(v, 0*mV, b) * int(v > v_rest) + b * sin(2 * pi * t / tau_w)"},
        {"reset": "v_reset + 0.1 * (v - v_thresh)"},
        {**SLOW, "after_spike": "w += b  # a jump, no rand() here\nw *= (1 - a)", "_notes": "rand()"},
        {**SLOW, "after_spike": "jump = a * v; w += jump"},
        {**SLOW, "moving": "w", "slow_start": {"w": "b + v_rest"}},
        {"slow": {"w": ("tau_w", "0")}, "after_spike": "w += b", "linear": "v_rest + drive - v - w"},
    ],
)  # fmt: skip
def test_correct_texts_run(texts: dict[str, Any]) -> None:
    assert run(neuron(**texts), nsnn.WhiteNoise(1 * mV)) > 1


@pytest.mark.slow
def test_a_neuron_that_stays_above_its_threshold_is_refused() -> None:
    with pytest.raises(
        NsnnError,
        match=r"Mine.reset = 'v': v stays above its threshold, and the neuron would fire",
    ):
        run(neuron(reset="v"), nsnn.WhiteNoise(1 * mV))
    for change in ("w += 0.1 * v", "w += b + 0 * v_rest"):  # v is read, and not changed
        with pytest.raises(NsnnError, match="v stays above its threshold"):
            run(neuron(**{**SLOW, "after_spike": change, "reset": "v"}))
    assert run(neuron(after_spike="v -= 5 * b", reset="v"), nsnn.WhiteNoise(1 * mV)) > 0
    # where chance decides, or the threshold moves, it is a model
    slow = {**SLOW, "moving": "w", "after_spike": "w += 20 * b", "reset": "v"}
    assert run(neuron(**slow)) < 10
    assert run(neuron(reset="v"), nsnn.EscapeNoise(nsnn.Gaussian(20 * mV))) > 0


def declared(base: type, units: dict[str, str], **texts: Any) -> Any:
    fields = {name: parameter(unit) for name, unit in units.items()}
    kind = type("Mine", (base,), {"__annotations__": dict.fromkeys(fields, Any), **fields, **texts})
    kind = dataclasses.dataclass(frozen=True, eq=False, kw_only=True)(kind)
    return kind(**{name: {**VALUES, "v_rearm": 5 * mV}[name] for name in units})


CHANNELS = {"tau_m": "s", "v_rest": "V", "v_thresh": "V"}


@pytest.mark.parametrize(
    ("base", "units", "texts", "message"),
    [
        (nsnn.ConductanceBased, ["tau_m", "v_thresh"], {"linear": "drive", "leaky": False},
         'Mine needs the parameter v_rest, the start of v; declare it as a parameter, v_rest: Any = parameter("V")'),
        (nsnn.ConductanceBased, [*CHANNELS, "tau_refrac"], {},
         "Mine has the parameter tau_refrac, which has no effect in this kind of neuron: remove it. If noise makes one spike"),
        (nsnn.ConductanceBased, list(CHANNELS), {"linear": "v_reset + drive - v"},
         'the name \'v_reset\' is not declared; declare it as a parameter, v_reset: Any = parameter("V")'),
        (nsnn.IntegrateAndFire, ["tau_m", "v_rest", "v_thresh", "tau_refrac"], {},
         "Mine needs the parameter v_reset, the value of v after a spike; declare it"),
        (nsnn.IntegrateAndFire, ["tau_m", "v_rest", "v_reset", "v_thresh"], {},
         "Mine needs the parameter tau_refrac, the time for which v stays there; declare it"),
    ],
)  # fmt: skip
def test_parameters_that_are_needed_or_have_no_effect_are_named(
    base: type, units: list[str], texts: dict[str, Any], message: str
) -> None:
    with pytest.raises(NsnnError) as caught:
        declared(base, {name: UNITS[name] for name in units}, **texts)
    assert message in str(caught.value)


def test_a_parameter_that_no_text_uses_is_a_warning() -> None:
    with pytest.warns(
        UserWarning, match="b of Mine is a parameter that no text uses: it has no effect"
    ) as caught:
        declared(nsnn.ConductanceBased, {**CHANNELS, "b": "V"})
    assert [w for w in caught if w.filename == __file__]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        declared(nsnn.ConductanceBased, {**CHANNELS, "v_rearm": "V"})


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"linear": "v_rest + b - v"},
         "no text of Mine uses drive: a stimulus has no effect; add it to `linear`, as in Mine.linear"),
        ({**SLOW, "linear": "v_rest + drive - v"}, "w of Mine.slow: no other text reads it, so that it has no effect"),
        ({"slow": {"w": ("tau_w", "a * v")}, "after_spike": "w += b"}, "w of Mine.slow: no other text"),
        ({"gates": {"n": ("1 / ms", "n / ms")}}, "n of Mine.gates: no other text reads it"),
    ],
)  # fmt: skip
def test_a_text_without_effect_is_a_warning(texts: dict[str, Any], message: str) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        neuron(**texts)
    assert [message in str(w.message) for w in caught if "parameter" not in str(w.message)] == [True]


def test_variables_that_change_others_have_an_effect() -> None:
    chain = {**SLOW, "slow": {"w": ("tau_w", "a * u"), "u": ("tau_w", "a * v")}}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neuron(**chain, after_spike="w += b")
        neuron(slow={"w": ("tau_w", "0")}, after_spike="w += b; v -= a * w")


def test_a_stimulus_with_random_text_is_refused() -> None:
    class Random(nsnn.Constant):
        text = "v * randn()"

    with pytest.raises(
        NsnnError, match=r"Random.text = 'v \* randn\(\)': randn\(\) draws numbers that do not depend"
    ):
        Random(1 * mV)


@pytest.mark.parametrize(
    ("args", "options", "message"),
    [
        (("mV",), {}, "unit = 'mV': expected one of 'V', '1', 's', 'Hz', '1/V'; write 'V': values may be given in any unit of"),
        (("volt",), {}, "unit = 'volt': expected one of 'V', '1', 's', 'Hz', '1/V'; write 'V'"),
        (("ms",), {}, "unit = 'ms': .*; write 's'"),
        (("ohm",), {}, "unit = 'ohm': .*; models count currents as voltages"),
        (("V", 3 * mV), {}, r"unit = 3. \* mvolt: .*; a default is given by its name, as in parameter\('V', default=3\*mV\)"),
        ((), {}, r"parameter\(\) has no unit: expected one of 'V', '1'"),
        (("V",), {"bound": ">0"}, "bound = '>0': expected one of 'positive', 'non-negative', 'fraction', 'any'"),
    ],
)  # fmt: skip
def test_a_wrong_declaration_of_a_parameter_is_named(args: Any, options: Any, message: str) -> None:
    with pytest.raises(NsnnError, match=message):
        parameter(*args, **options)


def test_a_rearm_level_above_the_threshold_is_refused() -> None:
    cell = declared(nsnn.ConductanceBased, {**CHANNELS, "v_rearm": "V"})
    with pytest.raises(NsnnError, match=r"v_rearm = 20. mV: expected a value not above v_thresh = 10. mV"):
        dataclasses.replace(cell, v_rearm=20 * mV)


@pytest.mark.parametrize(
    ("target", "cure"), [("-w", "write '0' if"), ("(-w)", "write '0' if"), ("a * v - w", "without - w if")]
)
def test_a_target_with_the_decay_in_it_is_a_warning(target: str, cure: str) -> None:
    texts = {**SLOW, "slow": {"w": ("tau_w", target)}}
    with pytest.warns(
        UserWarning, match="w relaxes to its target, tau dw/dt = target - w, so with this"
    ) as caught:
        neuron(**texts)
    assert any(cure in str(w.message) for w in caught)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neuron(**{**SLOW, "slow": {"w": ("tau_w", "0.5 * a * w + a * v")}, "after_spike": "w += b"})
