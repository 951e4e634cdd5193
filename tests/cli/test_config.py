"""Configuration files: every error names its line, and any content is read or refused.

Not public: through the command each file that is fine would start its simulation.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.command import RUN
from hypothesis import example, given, settings
from hypothesis import strategies as st

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.cli import config, quantities
from nsnn_neuro.core.parameters import Model
from nsnn_neuro.core.units import unit_of
from nsnn_neuro.models import neurons, noise, stimuli

NEURONS = '"EIF", "GIF", "LIF", "PIF", "QIF", "AdEx", "NSNNNeuron", "PoissonSource", "WangBuzsaki"'


def refusal(text: str) -> str:
    """What is said of a file n.toml that holds `text`, when it is read or when its simulation starts."""
    try:
        read = config.parse(text, "n.toml")
    except FormatError as error:
        return str(error)
    with pytest.raises(NsnnError) as caught:
        nsnn.simulate(read.model, read.noise, read.stimulus, **read.run)
    return read.place(str(caught.value))


# --- what is wrong in a configuration ----------------------------------------------------------------------

WRONG = [
    (
        'tau_m = "20 ms"',
        'tau_n = "20 ms"',
        4,
        r"tau_n: LIF has no such key; did you mean 'tau_m'\? \(expected type",
    ),
    ('tau_m = "20 ms"', '"tau m\\u001b" = 1', 4, r'"tau m\\x1b": LIF has no such key; did you mean .tau_m.'),
    ('tau_m = "20 ms"', '"té" = 1', 4, r'"té": LIF has no such key'),
    ('tau_m = "20 ms"\n', "", 2, r'LIF needs tau_m: expected a time such as "20 ms"$'),
    ('tau_m = "20 ms"', 'tau_m = "20 mV"', 4, r'tau_m = "20 mV": expected a time such as "20 ms"$'),
    ('tau_m = "20 ms"', "tau_m = 20", 4, r'tau_m = 20 has no unit: expected a time such as "20 ms"$'),
    ('tau_m = "20 ms"', 'tau_m = "20"', 4, r'tau_m = "20" has no unit: expected a time'),
    ('tau_m = "20 ms"', 'tau_m = "20 MS"', 4, r'tau_m = "20 MS": unknown unit "MS"; did you mean .ms.\?'),
    ('tau_m = "20 ms"', 'tau_m = "2 * 10 ms"', 4, r'tau_m = "2 \* 10 ms": expected a time'),
    ('tau_m = "20 ms"', "tau_m = true", 4, r"tau_m = true: expected a time"),
    ('tau_m = "20 ms"', "tau_m = 1979-05-27", 4, r"tau_m = 1979-05-27: expected a time"),
    ('tau_m = "20 ms"', "tau_m = {value = 20}", 4, r"tau_m = \{value = ...\}: expected a time"),
    ('tau_m = "20 ms"', 'tau_m = "-20 ms"', 4, r'tau_m = -20. ms: expected a positive value.*"20 ms"\)$'),
    ('tau_m = "20 ms"', 'tau_m = "1e999 ms"', 4, r'tau_m = "1e999 ms" is too large: expected a time'),
    ('tau_m = "20 ms"', 'tau_m = ["20 ms", 3]', 4, r"tau_m = 3 has no unit: expected a time"),
    (
        'tau_m = "20 ms"',
        'tau_m = [["20 ms"]]',
        4,
        r'tau_m = \[\["20 ms"\]\]: .* or a list of them, one for each',
    ),
    ('tau_m = "20 ms"', "tau_m = []", 4, r"tau_m = \[\]: expected a time"),
    (
        'tau_m = "20 ms"',
        'tau_m = ["20 ms", "9 ms"]',
        4,
        r"tau_m of LIF has 2 values: expected one, or n_neurons = 3",
    ),
    ('v_rest = "0 mV"', 'v_rest = ["0 mV", 0.5]', 5, r"v_rest = .*: expected one unit for all$"),
    (
        'v_reset = "10 mV"',
        "v_reset = 10",
        6,
        r"v_reset = 10.0, v_thresh = 20. mV: expected the same unit for both",
    ),
    ('v_reset = "10 mV"', 'v_reset = "30 mV"', 6, r"v_reset = 30. mV: expected a value below v_thresh"),
    ('sigma = "3.5 mV"', 'sigma = "3.5 ms"', 12, r'sigma = "3.5 ms": expected a voltage such as "3.5 mV"$'),
    (
        'sigma = "3.5 mV"',
        'sigma = "3.5 mW"',
        12,
        r'sigma = .*"mW".* \(expected a voltage such as "3.5 mV"\)$',
    ),
    (
        'type = "LIF"',
        'type = "Lif"',
        3,
        rf'type = "Lif": expected one of {NEURONS}; did you mean .LIF.\?$',
    ),
    (
        'type = "LIF"',
        'type = "WhiteNoise"',
        3,
        rf'type = "WhiteNoise": expected one of {NEURONS}$',
    ),
    ('type = "LIF"', 'type = "Neuron"', 3, r'type = "Neuron": expected one of "EIF"'),
    ('type = "LIF"', 'type = "os.system"', 3, r'type = "os.system": expected one of "EIF"'),
    ('type = "LIF"', "type = 3", 3, r"type = 3: expected one of"),
    ('type = "LIF"\n', "", 2, r'\[model\] has no type: expected type = one of "EIF"'),
    (
        "[noise]",
        "[noize]",
        10,
        r"noize: no such table; did you mean 'noise'\? \(expected model, noise, stimulus, run, sweep\)",
    ),
    (
        "[noise]",
        "[[noise]]",
        10,
        r"noise = \[\{type = ..., sigma = ...\}\]: expected a table such as \[noise\]",
    ),
    (
        'sigma = "3.5 mV"',
        "sigma = 3.5",
        12,
        r"sigma = 3.5 of WhiteNoise has no unit: expected a voltage",
    ),
    (
        '"Constant"\nv = "15 mV"',
        '"Recorded"\nsignal = "a"',
        15,
        r'type = "Recorded": expected one of "Constant"',
    ),
    ("n_neurons = 3", "n_neurons = 0", 19, r"n_neurons = 0: expected a whole number from 1 to 2147483647$"),
    ("n_neurons = 3", "n_neurons = 3.0", 19, r"n_neurons = 3.0: expected a whole number"),
    ("n_neurons = 3", "n_neurons = true", 19, r"n_neurons = true: expected a whole number"),
    ("n_neurons = 3", "neurons = 3", 19, r"neurons: \[run\] has no such key; did you mean 'n_neurons'\?"),
    (
        'duration = "0.2 s"',
        'duration = "1.23 us"',
        21,
        r"duration = 1.23 us: expected a whole number of steps",
    ),
    ('duration = "0.2 s"', 'duration = ["1 s"]', 21, r"duration = .*: expected one time above 0"),
    ('duration = "0.2 s"\n', "", 18, r'\[run\] has no duration: expected a time such as "20 ms"$'),
    ("seed = 1", "seed = -1", 23, r"seed = -1: expected a whole number from 0"),
    (
        "seed = 1",
        f"seed = 0x{'f' * 5000}",
        23,
        r"seed = a number of more than 20 digits: expected a whole number",
    ),
    (
        '"numpy"',
        '"fortran"',
        24,
        r"engine = 'fortran': expected \"auto\", \"cython\", \"numpy\", \"cpp\" or \"torch\"$",
    ),
    ('"numpy"', "1", 24, r'engine = 1: expected one of "auto", "cython", "numpy", "cpp", "torch"$'),
    ("seed = 1", "record_v = [3]", 23, r"record_v = \[3\]: expected neuron indices from 0 to 2"),
    (
        "seed = 1",
        'record_v = "all"',
        23,
        r'record_v = "all": expected true, false or a list of neuron numbers$',
    ),
    ("seed = 1", "seed = = 1", 23, r"not valid TOML: invalid value \(column 8\)$"),
    ("seed = 1", "seed = 1\nseed = 2", 24, r"not valid TOML: seed is given twice$"),
    ('"numpy"\n', '"""numpy', 24, r'not valid TOML: engine = """numpy: a text without its closing quote$'),
    ('"3.5 mV"', "3.5 mV  # strong", 12, 'not valid TOML: values with a unit are quoted: sigma = "3.5 mV"$'),
    ('"3.5 mV"', '"3.5 mV', 12, 'not valid TOML: sigma = "3.5 mV: a text without its closing quote$'),
    ("[stimulus]", "[model]", 14, r"not valid TOML: \[model\] is given twice$"),
]


@pytest.mark.parametrize(("old", "new", "line", "message"), WRONG, ids=[new[:30] for _, new, _, _ in WRONG])
def test_what_is_wrong_is_named_with_its_line(old, new, line, message) -> None:
    assert RUN.count(old) == 1
    place, said = refusal(RUN.replace(old, new)).split(": ", 1)
    assert place == f"n.toml:{line}"
    assert re.match(message, said), said


ESCAPE = RUN.replace('type = "LIF"', 'type = "NSNNNeuron"\nreset = "hard"')
ESCAPE = re.sub(r"(tau_m|v_rest|v_reset|v_thresh|tau_refrac) = .*\n", "", ESCAPE).replace('"15 mV"', "0.5")
ESCAPE = ESCAPE.replace(
    '"WhiteNoise"\nsigma = "3.5 mV"', '"EscapeNoise"\nfamily = {type = "Gaussian", sigma = 0.4}'
)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("sigma = 0.4", "sgma = 0.4", 8, r"sgma: Gaussian has no such key; did you mean 'sigma'\?"),
        ("sigma = 0.4", f"sigma = {10**400}", 8, r"sigma = a number of more than 20 digits is too large"),
        ("sigma = 0.4", "sigma = 0", 8, r"sigma = 0.0: expected a positive value"),
        (
            "sigma = 0.4",
            'sigma = "0.4 ms"',
            8,
            r'sigma = "0.4 ms": expected a voltage such as "0.4 mV"',
        ),
        (
            "sigma = 0.4",
            'sigma = "4 mV"',
            8,
            r"family = Gaussian\(.*: its argument is a distance to threshold.*give its scale that unit",
        ),
        (
            '"Gaussian"',
            '"Gauss"',
            8,
            r'type = "Gauss": expected one of "Cauchy".*; did you mean .Gaussian.\?',
        ),
        (
            'family = {type = "Gaussian", sigma = 0.4}\n',
            "",
            6,
            r"family = None, hazard = None: expected one of them",
        ),
        (
            '{type = "Gaussian", sigma = 0.4}',
            '"Gaussian"',
            8,
            r'family = "Gaussian": expected a table such as',
        ),
        (
            'family = {type = "Gaussian", sigma',
            'family.type = "Gaussian"\nfamily.sgma = 0.4 #',
            9,
            r"sgma: Gaussian",
        ),
        (
            'family = {type = "Gaussian", sigma',
            '[noise.family]\ntype = "Gaussian"\nsgma = 0.4 #',
            10,
            r"sgma: Gau",
        ),
        ('reset = "hard"', 'reset = "soft"', 4, r'reset = "soft": expected "hard" or "subtract"$'),
        ('reset = "hard"', "reset = []", 4, r'reset = \[\]: expected "hard" or "subtract"$'),
        ('type = "Constant"\nv', 'type = "FrozenNoise"\nseed', 12, r"seed = 0.5: expected a whole number$"),
    ],
)
def test_nested_and_dotted_keys_have_their_line_too(old, new, line, message) -> None:
    if "FrozenNoise" in new:
        new = new.replace("seed", 'mean = 0.0\nsigma = 1.0\ntau_noise = "5 ms"\nseed')
        line += 3
    assert ESCAPE.count(old) == 1
    assert isinstance(config.parse(ESCAPE, "n.toml").noise, nsnn.EscapeNoise)
    place, said = refusal(ESCAPE.replace(old, new)).split(": ", 1)
    assert place == f"n.toml:{line}"
    assert re.match(message, said), said


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "n.toml: no [model]: expected a table [model] with"),
        (b"\xef\xbb\xbf[model]\ntype = 1", "n.toml:2: type = 1: expected"),
        (b"[model]\r\ntype = 1\r\n", "n.toml:2: type = 1: expected"),
        (b"[model]\n\xff", "n.toml:2: not UTF-8 text"),
        (b"x = " + b"[" * 5000, "n.toml: brackets are nested too deeply"),
        (b"x = " + b"1" * 5000, "n.toml: not valid TOML: exceeds the limit"),
        (b"\x89HDF\r\n\x1a\n" + b"0" * 1_000_001, "n.toml: a recording: expected a TOML configuration"),
        (b"#" * 1_000_001, "n.toml: more than 1000000 bytes"),
    ],
    ids=["empty", "BOM", "CRLF", "latin", "deep", "digits", "NWB", "large"],
)
def test_files_that_are_no_configuration(tmp_path: Path, monkeypatch, content, message) -> None:
    monkeypatch.chdir(tmp_path)
    Path("n.toml").write_bytes(content)
    with pytest.raises(FormatError) as caught:
        config.read("n.toml")
    assert str(caught.value).startswith(message)


def test_the_types_of_a_file_are_the_public_records() -> None:
    classes = [kind for name in nsnn.__all__ if isinstance(kind := getattr(nsnn, name), type)]
    kinds = (neurons.Neuron, noise.Noise, stimuli.Stimulus, nsnn.Family, nsnn.Hazard)
    public = {kind.__name__ for kind in classes if issubclass(kind, kinds)}
    hazard = ESCAPE.replace('family = {type = "Gaussian"', 'hazard = {type = "Gaussian"')
    texts = [RUN.replace(f'"{name}"', "0") for name in ("LIF", "WhiteNoise", "Constant")]
    found: set[str] = set()
    for text in [*texts, ESCAPE.replace('"Gaussian"', "0"), hazard.replace('"Gaussian"', "0")]:
        with pytest.raises(FormatError) as caught:
            config.parse(text)
        found |= set(re.findall(r'"(\w+)"', str(caught.value)))
    bases = {"ConductanceBased", "Family", "Hazard", "IntegrateAndFire", "Neuron", "Noise", "Stimulus"}
    # a signal, and what repeats it, are no text
    assert found == public - bases - {"Filtered", "Recorded", "Relay", "Transduced"}


def test_a_hazard_can_be_written() -> None:
    made = config.parse(
        ESCAPE.replace(
            'family = {type = "Gaussian", sigma = 0.4}',
            'hazard = {type = "Exponential", rate = "40 Hz", width = 0.1}',
        )
    )
    assert made.noise is not None
    assert made.noise.hazard.si("rate") == 40.0


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("20 ms", "s", 0.02),
        ("20ms", "s", 0.02),
        (" 2e1 ms ", "s", 0.02),
        ("+.5 s", "s", 0.5),
        ("3. us", "s", 3e-6),
        ("3 \u00b5s", "s", 3e-6),
        ("3 \u03bcs", "s", 3e-6),
        ("-65 mV", "V", -0.065),
        ("100 uV", "V", 1e-4),
        ("0.5 1/mV", "1/V", 500.0),
        ("2 kHz", "Hz", 2000.0),
        ("100 pA", "A", 1e-10),
        ("200 pF", "F", 2e-10),
        ("10 nS", "S", 1e-8),
    ],
)
def test_quantities_as_text(text, unit, value) -> None:
    got = quantities.quantity(text, unit, "x")
    assert abs(float(np.asarray(got)) / value - 1) < 1e-15
    assert unit_of(got) == unit


@pytest.mark.parametrize(
    "text",
    [
        "0.51/mV",
        "20",
        "ms",
        "",
        "1 2 ms",
        "1,5 ms",
        "0x10 ms",
        "1_0 ms",
        "nan ms",
        "inf s",
        "1 ms s",
        "1e ms",
        "9" * 99 + " s",
    ],
)
def test_text_that_is_no_quantity(text) -> None:
    with pytest.raises(NsnnError, match=r"^x = .*: expected"):
        quantities.quantity(text, "s" if "V" not in text else "1/V", "x")


@given(st.floats(1e-12, 1e12) | st.floats(-1e12, -1e-12), st.sampled_from(["s", "V", "Hz", "A", "1/V"]))
def test_a_value_is_shown_as_it_could_be_written(value, unit) -> None:
    back = float(np.asarray(quantities.quantity(quantities.in_units(value, unit), unit, "x")))
    assert abs(back / value - 1) < 1e-5  # six digits are shown


# --- anything may stand in a file --------------------------------------------------------------------------

KEYS = sorted(
    {*re.findall(r"\w+(?= =)", RUN), "family", "reset", "bridge", "record_v", "sigma", "t_on", "beta"}
)
SCALARS = st.sampled_from(
    [
        "20 ms",
        "1 mV",
        "0 mV",
        "-1 V",
        "3 1/mV",
        "1e400 s",
        "LIF",
        "NSNNNeuron",
        "Step",
        "Gaussian",
        "EscapeNoise",
        "hard",
        "",
    ]
) | st.one_of(st.integers(), st.floats(), st.booleans(), st.just(10**400))
TREES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


def as_toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {as_toml(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(as_toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else f"{value!r}"


def good_or_format_error(text: str) -> None:
    said = None
    try:
        parsed = config.parse(text, "f")
    except FormatError as error:
        said = str(error)
    if said is None:
        assert isinstance(parsed.model, Model)
        assert "duration" in parsed.run
    else:
        assert re.match(r"f(:\d+)?: \S", said)
        assert said.isprintable()


@pytest.mark.slow
@given(st.text())
@example("a.b = 1\n[a]")
@example("\x00")
def test_random_text_is_read_or_refused(text) -> None:
    good_or_format_error(text)


@pytest.mark.slow
@given(
    st.dictionaries(
        st.sampled_from(["model", "noise", "stimulus", "run"]),
        st.dictionaries(st.sampled_from(["type", *KEYS]), TREES),
    )
)
@settings(max_examples=300)
def test_random_tables_are_read_or_refused(tree) -> None:
    good_or_format_error("\n".join(f"{key} = {as_toml(value)}" for key, value in tree.items()))


@pytest.mark.slow
@given(st.sampled_from([RUN, ESCAPE]), st.integers(0, 400), st.integers(0, 12), st.text(max_size=6))
@settings(max_examples=300)
def test_a_damaged_configuration_is_read_or_refused(text, at, cut, put) -> None:
    good_or_format_error(text[:at] + put + text[at + cut :])
