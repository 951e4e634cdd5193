"""Annotations and units as text: exactly back, and nothing evaluated."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import h5py
import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import mV, second
from helpers.roundtrip import NESTED, values, volt
from hypothesis import given, settings

from nsnn_neuro import FormatError, NsnnError, load, save, to_block
from nsnn_neuro.io.json_codec import decode, dumps, parse_unit


@pytest.mark.slow
@settings(max_examples=40)
@given(value=values)
def test_annotations_come_back_equal(value):
    again = decode(json.loads(dumps(value)))
    assert again == value
    assert repr(again) == repr(value)  # and so types and zeros' signs too


def test_arrays_and_quantities_in_annotations(tmp_path):
    block = to_block(NESTED, t_stop=1 * second)
    rng = np.random.default_rng(0)
    given_ = {
        "array": rng.normal(size=(2, 3)).astype(np.float32),
        "nan": np.array([np.nan, -0.0, np.inf]),
        "text": np.array(["ä", "bc"]),
        "empty": np.empty((0, 3), dtype=np.int16),
        "quantity": rng.normal(size=3) * pq.mV / pq.s,
        "scalar": 0.1 * pq.nA,
        "unit": pq.mV,
        "odd": [
            Decimal("0.10"),
            timedelta(days=-1, microseconds=3),
            datetime(2024, 1, 1, tzinfo=UTC),
            1 - 2j,
        ],
        "numpy": [np.int32(3), np.float64(0.1), np.bool_(True), np.str_("x")],
        "floats": [float("nan"), float("inf"), -float("inf")],
    }
    block.annotations.update(given_)
    found = load(save(block, tmp_path / "a.nwb")).annotations
    for key in ("array", "nan", "text", "empty"):
        assert (found[key].dtype, found[key].shape) == (given_[key].dtype, given_[key].shape)
        assert found[key].tobytes() == given_[key].tobytes()
    for key in ("quantity", "scalar", "unit"):
        assert found[key].dimensionality == given_[key].dimensionality
        assert found[key].magnitude.tobytes() == given_[key].magnitude.tobytes()
    assert found["odd"] == given_["odd"]
    assert found["numpy"] == [3, 0.1, True, "x"]
    assert repr(found["floats"]) == "[nan, inf, -inf]"


circular: list = []


circular.append(circular)


def test_an_annotation_that_cannot_be_saved_is_named(tmp_path):
    block = to_block(NESTED, t_stop=1 * second)
    for value, words in [
        ({1, 2}, "annotations['deep'][0]['x'] = {1, 2}: a set can't be saved"),
        (print, "annotations['deep'][0]['x'] = <built-in function print>"),
        (20 * mV, "a Quantity of Brian2 can't be saved: divide by the unit"),
        (np.array([object()]), "a NumPy array of objects can't be saved"),
        (np.longdouble(1), "can't be saved"),
        (circular, "annotations contains itself"),
        (1.0 * pq.V**10, "annotations['deep'][0]['x'] has the unit 'V**1'"),
        (neo.SpikeTrain([], units="s", t_stop=1.0), "a SpikeTrain can't be saved"),
    ]:
        block.annotations["deep"] = [{"x": value}]
        with pytest.raises(NsnnError) as error:
            save(block, tmp_path / "a.nwb")
        assert words in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_no_unit_is_evaluated():
    for text in [
        *(
            "9**9**9**9",
            "V**9**9",
            "V**999",
            "'a'*9999999999",
            "__import__('os').system('true')",
            "().__class__",
        ),
        *("V if V else V", "lambda: 1", "lambda", "UnitQuantity", "V;V", "V\nV", "1", "a.u.", "n/a"),
        *("(" * 200 + "V" + ")" * 200, "m" * 10_000),
    ]:
        assert parse_unit(text) is None, text


def test_units_are_understood():
    for text, unit in [
        ("volts", pq.V),
        ("Volts", pq.V),
        ("µV", pq.uV),
        ("mV / s", pq.mV / pq.s),
        ("1/(s*mV)", 1 / (pq.s * pq.mV)),
        ("m^2", pq.m**2),
        ("V**0.5", pq.V**0.5),
        (" ", pq.dimensionless),
    ]:
        assert parse_unit(text).dimensionality == unit.dimensionality
        assert parse_unit(text).magnitude == 1.0


def test_a_hostile_unit_in_a_file_is_refused(tmp_path, monkeypatch):
    import scipy.io

    text = "__import__('os').system('touch marker')"
    monkeypatch.chdir(tmp_path)
    path = save(to_block(NESTED, t_stop=1 * second, stimulus=volt([1.0])), tmp_path / "a.nwb")
    with h5py.File(path, "r+") as file:
        notes = file["general/notes"][()].decode()
        del file["general/notes"]
        file["general/notes"] = notes.replace('"unit": "mV"', f'"unit": {json.dumps(text)}')
    with pytest.raises(FormatError, match=r"a\.nwb: stimulus/presentation/stimulus doesn't fit"):
        load(path)
    scipy.io.savemat(tmp_path / "b.mat", {"block": {"annotations": {"x": 1.0, "x_units": text}}})
    with pytest.raises(FormatError, match=r"b\.mat: .* is no unit"):
        load(tmp_path / "b.mat")
    with h5py.File(tmp_path / "c.nix", "w") as file:
        file.create_group("data/block/data_arrays/x").attrs["unit"] = text
    with pytest.raises(FormatError, match=r"c\.nix: .* is no unit"):
        load(tmp_path / "c.nix")
    assert not (tmp_path / "marker").exists()
