"""Configuration files: every error names its line, and any content is read or refused.

Not public: through the command each file that is fine would start its simulation.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from helpers.command import RUN
from hypothesis import given
from hypothesis import strategies as st

import nsnn_neuro as nsnn
from nsnn_neuro import FormatError, NsnnError
from nsnn_neuro.cli import config, quantities
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

# what stands in the file, what takes its place, the line and the message
WRONG = [
    ('tau_m = "20 ms"', 'tau_n = "20 ms"', 4, "tau_n: LIF has no such key; did you mean 'tau_m'"),
    ('tau_m = "20 ms"', '"tau m\\u001b" = 1', 4, r'"tau m\\x1b": LIF has no such key; did you mean .tau_m.'),
    ('tau_m = "20 ms"\n', "", 2, r'LIF needs tau_m: expected a time such as "20 ms"$'),
    ('tau_m = "20 ms"', 'tau_m = "20 mV"', 4, r'tau_m = "20 mV": expected a time such as "20 ms"$'),
    ('tau_m = "20 ms"', "tau_m = 20", 4, r'tau_m = 20 has no unit: expected a time such as "20 ms"$'),
    ('tau_m = "20 ms"', 'tau_m = "20 MS"', 4, r'tau_m = "20 MS": unknown unit "MS"; did you mean .ms.\?'),
    ('tau_m = "20 ms"', "tau_m = {value = 20}", 4, r"tau_m = \{value = ...\}: expected a time"),
    ('tau_m = "20 ms"', 'tau_m = "-20 ms"', 4, r'tau_m = -20. ms: expected a positive value.*"20 ms"\)$'),
    ('tau_m = "20 ms"', 'tau_m = "1e999 ms"', 4, r'tau_m = "1e999 ms" is too large: expected a time'),
    ('tau_m = "20 ms"', 'tau_m = [["20 ms"]]', 4, r'tau_m = \[\["20 ms"\]\]: .* or a list of them'),
    ('tau_m = "20 ms"', 'tau_m = ["20 ms", "9 ms"]', 4, "tau_m of LIF has 2 values"),
    ('v_rest = "0 mV"', 'v_rest = ["0 mV", 0.5]', 5, r"v_rest = .*: expected one unit for all$"),
    ('v_reset = "10 mV"', "v_reset = 10", 6, r"v_reset = 10.0, v_thresh = 20. mV: expected the same unit"),
    ('sigma = "3.5 mV"', "sigma = 3.5", 12, r"sigma = 3.5 of WhiteNoise has no unit: expected a voltage"),
    ('type = "LIF"', 'type = "Lif"', 3, rf'type = "Lif": expected one of {NEURONS}; did you mean .LIF.\?$'),
    *(
        ('type = "LIF"', f'type = "{name}"', 3, rf'type = "{name}": expected one of {NEURONS}')
        for name in ("WhiteNoise", "Neuron", "os.system")
    ),
    ('type = "LIF"\n', "", 2, r'\[model\] has no type: expected type = one of "EIF"'),
    ("[noise]", "[noize]", 10, "noize: no such table; did you mean 'noise'"),
    ("[noise]", "[[noise]]", 10, r"noise = .*: expected a table such as \[noise\]"),
    ("n_neurons = 3", "n_neurons = 3.0", 19, r"n_neurons = 3.0: expected a whole number"),
    ("n_neurons = 3", "neurons = 3", 19, r"neurons: \[run\] has no such key; did you mean 'n_neurons'\?"),
    ('duration = "0.2 s"', 'duration = ["1 s"]', 21, r"duration = .*: expected one number above 0 s"),
    ('duration = "0.2 s"\n', "", 18, r'\[run\] has no duration: expected a time such as "20 ms"$'),
    ("seed = 1", f"seed = 0x{'f' * 5000}", 23, r"seed = a number of more than 20 digits: expected a whole"),
    ('"numpy"', "1", 24, r'engine = 1: expected one of "auto", "cython", "numpy", "cpp", "torch"$'),
    ("seed = 1", "record_v = [3]", 23, r"record_v = \[3\]: expected neuron indices from 0 to 2"),
    ("seed = 1", 'record_v = "all"', 23, 'record_v = "all": expected true, false or a list'),
    ("seed = 1", "seed = = 1", 23, r"not valid TOML: invalid value \(column 8\)$"),
    ("seed = 1", "seed = 1\nseed = 2", 24, r"not valid TOML: seed is given twice$"),
    ('"numpy"\n', '"""numpy', 24, r'not valid TOML: engine = """numpy: a text without its closing quote$'),
    ('"3.5 mV"', "3.5 mV  # strong", 12, 'not valid TOML: values with a unit are quoted: sigma = "3.5 mV"$'),
    ("[stimulus]", "[model]", 14, r"not valid TOML: \[model\] is given twice$"),
]


def named_with_its_line(text, old, new, line, message) -> None:
    assert text.count(old) == 1
    place, said = refusal(text.replace(old, new)).split(": ", 1)
    assert place == f"n.toml:{line}", said
    assert re.match(message, said), said


def test_what_is_wrong_is_named_with_its_line() -> None:
    for row in WRONG:
        named_with_its_line(RUN, *row)


ESCAPE = RUN.replace('type = "LIF"', 'type = "NSNNNeuron"\nreset = "hard"')
ESCAPE = re.sub(r"(tau_m|v_rest|v_reset|v_thresh|tau_refrac) = .*\n", "", ESCAPE).replace('"15 mV"', "0.5")
ESCAPE = ESCAPE.replace(
    '"WhiteNoise"\nsigma = "3.5 mV"', '"EscapeNoise"\nfamily = {type = "Gaussian", sigma = 0.4}'
)


def test_nested_and_dotted_keys_have_their_line_too() -> None:
    assert isinstance(config.parse(ESCAPE, "n.toml").noise, nsnn.EscapeNoise)
    family, frozen = (
        'family = {type = "Gaussian", sigma',
        '"FrozenNoise"\nmean = 0.0\nsigma = 1.0\ntau_noise = "5 ms"\nseed',
    )
    for row in [
        ("sigma = 0.4", "sgma = 0.4", 8, r"sgma: Gaussian has no such key; did you mean 'sigma'\?"),
        ("sigma = 0.4", f"sigma = {10**400}", 8, r"sigma = a number of more than 20 digits is too large"),
        ("sigma = 0.4", 'sigma = "0.4 ms"', 8, r'sigma = "0.4 ms": expected a voltage such as "0.4 mV"'),
        (
            "sigma = 0.4",
            'sigma = "4 mV"',
            8,
            r"family = Gaussian\(.*: its argument is a distance to threshold",
        ),
        (
            '"Gaussian"',
            '"Gauss"',
            8,
            r'type = "Gauss": expected one of "Cauchy".*; did you mean .Gaussian.\?',
        ),
        (f"{family} = 0.4}}\n", "", 6, r"family = None, hazard = None: expected one of them"),
        (
            '{type = "Gaussian", sigma = 0.4}',
            '"Gaussian"',
            8,
            r'family = "Gaussian": expected a table such as',
        ),
        (family, 'family.type = "Gaussian"\nfamily.sgma = 0.4 #', 9, r"sgma: Gaussian"),
        (family, '[noise.family]\ntype = "Gaussian"\nsgma = 0.4 #', 10, r"sgma: Gau"),
        ('reset = "hard"', "reset = []", 4, r'reset = \[\]: expected "hard" or "subtract"$'),
        ('"Constant"\nv', frozen, 15, r"seed = 0.5: expected a whole number$"),
    ]:
        named_with_its_line(ESCAPE, *row)


def test_files_that_are_no_configuration(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for content, message in [
        (b"", "n.toml: no [model]: expected a table [model] with"),
        (b"\xef\xbb\xbf[model]\ntype = 1", "n.toml:2: type = 1: expected"),
        (b"[model]\r\ntype = 1\r\n", "n.toml:2: type = 1: expected"),
        (b"[model]\n\xff", "n.toml:2: not UTF-8 text"),
        (b"x = " + b"[" * 5000, "n.toml: brackets are nested too deeply"),
        (b"x = " + b"1" * 5000, "n.toml: not valid TOML: exceeds the limit"),
        (b"\x89HDF\r\n\x1a\n" + b"0" * 1_000_001, "n.toml: a recording: expected a TOML configuration"),
        (b"#" * 1_000_001, "n.toml: more than 1000000 bytes"),
    ]:
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


def test_quantities_as_text() -> None:
    for text, unit, value in [
        ("20ms", "s", 0.02),
        (" 2e1 ms ", "s", 0.02),
        ("+.5 s", "s", 0.5),
        ("3. us", "s", 3e-6),
        ("3 \u00b5s", "s", 3e-6),
        ("3 \u03bcs", "s", 3e-6),
        ("-65 mV", "V", -0.065),
        ("0.5 1/mV", "1/V", 500.0),
        ("2 kHz", "Hz", 2000.0),
        ("100 pA", "A", 1e-10),
        ("200 pF", "F", 2e-10),
        ("10 nS", "S", 1e-8),
    ]:
        got = quantities.quantity(text, unit, "x")
        assert abs(float(np.asarray(got)) / value - 1) < 1e-15
        assert unit_of(got) == unit


def test_text_that_is_no_quantity() -> None:
    for text in [
        *("0.51/mV", "20", "ms", "", "1 2 ms", "1,5 ms", "0x10 ms", "1_0 ms", "nan ms", "inf s", "1 ms s"),
        *("1e ms", "9" * 99 + " s"),
    ]:
        with pytest.raises(NsnnError, match=r"^x = .*: expected"):
            quantities.quantity(text, "s" if "V" not in text else "1/V", "x")


@given(st.floats(1e-12, 1e12) | st.floats(-1e12, -1e-12), st.sampled_from(["s", "V", "Hz", "A", "1/V"]))
def test_a_value_is_shown_as_it_could_be_written(value, unit) -> None:
    back = float(np.asarray(quantities.quantity(quantities.in_units(value, unit), unit, "x")))
    assert abs(back / value - 1) < 1e-5  # six digits are shown
