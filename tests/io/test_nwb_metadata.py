"""Metadata in NWB files: checked when they are given, in /general of the file, back on load, and accepted by validators.

Oracles are pynwb's reader and validator and, where it is installed, nwbinspector with the rules of the DANDI archive.
"""

import warnings
from datetime import UTC, datetime, timedelta, timezone

import h5py
import neo
import numpy as np
import pynwb
import pytest
import quantities as pq
from brian2 import gram, mgram
from helpers.roundtrip import assert_same, bounds_of, rich_block, trains_of
from pynwb.file import Subject

from nsnn_neuro import FormatError, NsnnError, cut, load, save, select, to_block
from nsnn_neuro.io.json_codec import dumps
from nsnn_neuro.io.nwb.metadata import checked

START = datetime(2024, 5, 4, 10, 30, tzinfo=timezone(timedelta(hours=2)))
SUBJECT = {
    "subject_id": "mouse1",
    "species": "Mus musculus",
    "sex": "F",
    "age": "P90D",
    "description": "wild type",
    "weight": "0.022 kg",
    "genotype": "C57BL/6J",
}
METADATA = {
    "subject": SUBJECT,
    "session_description": "tones",
    "session_id": "session1",
    "session_start_time": START,
    "experimenter": ["Doe, Jane", "Roe, Richard"],
    "institution": "University of Somewhere",
    "lab": "Ears",
    "experiment_description": "Responses of two neurons to a tone",
    "keywords": ["auditory", "spikes"],
    "related_publications": ["doi:10.1038/nn.3711"],
}


def recording():
    dt = 1 / 30_000
    samples = [[[3000, 9210, 9900], [1200]], [[4500], []], [[1], [2]]]
    block = to_block([[np.array(x) * dt for x in trial] for trial in samples], t_stop=0.5 * pq.s)
    block.annotations["dt"] = dt
    return block


def with_pynwb(path):
    """What pynwb reads of the metadata in a file."""
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        file = io.read()
        result = {key: getattr(file, key) for key in METADATA if key != "subject"}
        result |= {key: list(result[key] or ()) for key, one in METADATA.items() if isinstance(one, list)}
        if file.subject is not None:
            result["subject"] = {key: getattr(file.subject, key) for key in SUBJECT}
        return result


@pytest.mark.slow
def test_metadata_are_where_nwb_has_them_come_back_and_are_kept_by_the_next_save(tmp_path):
    block = recording()
    before = dumps(dict(block.annotations))
    path = save(block, tmp_path / "a.nwb", metadata=METADATA)
    assert dumps(dict(block.annotations)) == before  # the Block is unchanged
    assert with_pynwb(path) == METADATA
    errors = pynwb.validate(path=str(path))
    assert not (errors[0] if isinstance(errors, tuple) else errors)
    again = load(path, check="full")
    assert trains_of(again) == trains_of(block)
    found = again.annotations["nwb"]
    assert found == {**METADATA, "session_start_time": START.isoformat()}
    assert again.rec_datetime == START
    third = load(save(again, tmp_path / "b.nwb"))
    assert with_pynwb(tmp_path / "b.nwb") == METADATA
    assert_same(again, third)
    changed = load(save(again, tmp_path / "c.nwb", metadata={"subject": {"age": "P91D"}, "lab": "Eyes"}))
    assert changed.annotations["nwb"] == {**found, "lab": "Eyes", "subject": {**SUBJECT, "age": "P91D"}}


@pytest.mark.slow
def test_metadata_of_other_programs_are_kept_whatever_they_say(tmp_path):
    file = pynwb.NWBFile("somebody's", "x1", START, experimenter="Jane", notes="free text", lab="Ears")
    late = {"age__reference": "gestational", "date_of_birth": START}
    about = {"subject_id": "m/1", "species": "mouse", "sex": "female", "age": "three months"}
    file.subject = Subject(**about, **late)
    file.add_trial(start_time=0.0, stop_time=1.0)
    file.add_unit(spike_times=[0.5])
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    block = load(tmp_path / "a.nwb")
    assert block.annotations["nwb"] == {
        "identifier": "x1",
        "session_description": "somebody's",
        "session_start_time": START.isoformat(),
        "lab": "Ears",
        "experimenter": ["Jane"],
        "subject": {**about, "age__reference": "gestational", "date_of_birth": START.isoformat()},
    }
    again = load(save(block, tmp_path / "b.nwb"))
    assert_same(block, again)
    found = with_pynwb(tmp_path / "b.nwb")
    assert (found["session_description"], found["session_start_time"], found["experimenter"]) == (
        "somebody's",
        START,
        ["Jane"],
    )
    assert found["subject"]["species"] == "mouse"


def test_the_description_counts_neurons_and_trials(tmp_path):
    path = save(to_block([[[0.1]]], t_stop=1 * pq.s), tmp_path / "a.nwb")
    assert with_pynwb(path)["session_description"].startswith("1 neuron in 1 trial, ")


def test_a_file_with_its_own_description_is_still_known_as_damaged(tmp_path):
    path = save(recording(), tmp_path / "a.nwb", metadata={"session_description": "tones"})
    with h5py.File(path, "r+") as file:
        del file["general/notes"]
    with pytest.raises(NsnnError, match="isn't what save left there"):
        load(path)


# metadata, words of the message
WRONG = [
    ("mouse", "metadata = 'mouse': expected a dict with keys such as 'subject'"),
    ({"session_desc": "x"}, "has no key 'session_desc'; did you mean 'session_description'?"),
    ({"session_start_time": "2999-01-01"}, "2999-01-01T00:00:00+00:00 is in the future"),
    ({"session_start_time": "yesterday"}, "'yesterday': expected a datetime"),
    ({"species": "Mus musculus"}, "it belongs in metadata['subject'], dict(subject=dict(species=...))"),
    ({"identifier": "x"}, "metadata['identifier'] can't be given: save computes it"),
    ({"lab": " "}, "metadata['lab'] = ' ': expected a text that is not empty"),
    ({"keywords": 3}, "metadata['keywords'] = 3: expected a text or a list of texts"),
    ({"session_id": "a/b"}, "expected no '/'"),
    ({"subject": "m1"}, "metadata['subject'] = 'm1': expected a dict"),
    ({"subject": {"species": "rat"}}, "expected a Latin name of two words, such as 'Mus musculus'"),
    ({"subject": {"sex": "female"}}, "one of 'M', 'F', 'U', 'O' (male, female, unknown, other)"),
    *(({"subject": {"age": age}}, "an ISO 8601 duration") for age in ("90 days", "P", "P1D/P2D/P3D")),
    ({"subject": {"age": 90}}, "metadata['subject']['age'] = 90: expected a text such as 'P90D'"),
    ({"subject": {"age__reference": "conception"}}, "expected 'birth' or 'gestational'"),
    ({"subject": {"subject_id": "a/b"}}, "expected no '/'"),
    ({"subject": {"weight": "22"}}, "a number and kg, g or mg"),
    ({"subject": {"weight": 3 * pq.s}}, "expected a mass such as 22*gram"),
    *(({"subject": {"weight": weight}}, "expected one mass above 0") for weight in (0 * gram, [1, 2] * gram)),
    ({"subject": {"date_of_birth": 2024}}, "['date_of_birth'] = 2024: expected a datetime"),
]


def test_wrong_metadata_are_refused_by_name_and_nothing_is_written(tmp_path):
    for metadata, words in WRONG:
        with pytest.raises(NsnnError) as error:
            save(recording(), tmp_path / "a.nwb", metadata=metadata)
        assert words in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_ages_masses_and_dates_are_written_as_nwb_has_them(tmp_path):
    for age in ("P90D", "P12W", "P1Y2M", "P1.5Y", "PT36H", "P1DT12H", "P90D/P120D", "P90Y/"):
        assert checked({"subject": {"age": age}})["subject"]["age"] == age
    for mass, text in (
        (22 * gram, "0.022 kg"),
        (3.5 * pq.kg, "3.5 kg"),
        (50 * pq.mg, "0.05 g"),
        (0.03 * mgram, "0.03 mg"),
    ):
        assert checked({"subject": {"weight": mass}})["subject"]["weight"] == text
    path = save(recording(), tmp_path / "a.nwb", metadata={"session_start_time": "2024-05-04 10:30"})
    assert with_pynwb(path)["session_start_time"] == datetime(2024, 5, 4, 10, 30, tzinfo=UTC)


def test_the_resolution_of_cut_trials_and_of_a_step_that_times_do_not_have(tmp_path):
    dt = 1 / 30_000
    for said, trials, expected in ((dt, True, dt), (30_000, False, None), (0.3, True, None)):
        block = to_block([[np.array([3000, 9210, 31_001]) * dt]], t_stop=2 * pq.s)
        block.annotations["dt"] = said
        if trials:
            block = cut(block, [0.25003, 0.9], before=0.2 * pq.s, after=0.2 * pq.s)
        with warnings.catch_warnings(record=True, action="always") as seen:
            path = save(block, tmp_path / "a.nwb")
        with h5py.File(path) as file:
            assert file["units/spike_times"].attrs.get("resolution") == expected
        words = [
            str(one.message) for one in seen if "not multiples of this sampling interval" in str(one.message)
        ]
        assert len(words) == (expected is None)


@pytest.mark.slow
def test_other_programs_see_the_names_of_units_and_their_plain_columns(tmp_path):
    block = to_block([[[0.1], [0.2]]], t_stop=1 * pq.s)
    plain = {"area": ["V1", "LM"], "depth": [0.5, 2], "good": [True, False]}
    units = {"id": [7, 9], "name": ["CA1 u7", "µ\0"]} | plain
    block.annotations["units"] = units | {"mixed": ["a", 1], "waveforms": [1, 2], "trial": [3, 4]}
    path = save(block, tmp_path / "a.nwb")
    assert load(path).annotations["units"] == block.annotations["units"]
    result = pynwb.validate(path=str(path))
    assert not (result[0] if isinstance(result, tuple) else result)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        table = io.read().units
        assert table["unit_name"][:].tolist() == ["CA1 u7", "µ"]
        assert {key: table[key][:].tolist() for key in plain} == plain
        assert not {"mixed", "waveforms", "name"} & set(table.colnames)
        assert table.get_unit_spike_times(1).tolist() == [0.2]
    for units, names in (({"id": [7, 9]}, ["7", "9"]), ({"name": ["of one unit"]}, None), ({}, None)):
        block.annotations["units"] = units
        with h5py.File(save(block, path)) as file:
            stored = file["units"].get("unit_name")
            assert (stored if stored is None else stored.asstr()[:].tolist()) == names


@pytest.mark.slow
def test_units_get_name_and_location_of_their_group_of_electrodes(tmp_path):
    file = pynwb.NWBFile(session_description="raw", identifier="x4", session_start_time=START)
    probe = file.create_device(name="probe")
    shanks = [file.create_electrode_group(k, "one", location=f"CA{k}", device=probe) for k in "13"]
    for k in (1, 0, 1):
        file.add_unit(spike_times=[0.5], obs_intervals=[[0.0, 1.0]], electrode_group=shanks[k])
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    units = load(tmp_path / "a.nwb", check="full").annotations["units"]
    assert units["electrode_group_name"] == ["3", "1", "3"]
    assert units["electrode_group_location"] == ["CA3", "CA1", "CA3"]
    with h5py.File(tmp_path / "a.nwb", "r+") as raw:
        raw["units/electrode_group"][:] = [
            raw["units"].ref,
            h5py.Reference(),
            raw["general/extracellular_ephys/1"].ref,
        ]
    units = load(tmp_path / "a.nwb").annotations["units"]
    assert units["electrode_group_name"] == ["", "", "1"]  # no group of electrodes, no reference
    block = load(save(load(tmp_path / "a.nwb"), tmp_path / "b.nwb"))
    assert block.annotations["units"]["electrode_group_location"] == ["", "", "CA1"]


def test_units_get_the_columns_of_their_electrodes(tmp_path):
    """A value for each unit where all its electrodes agree; the units' own column of the same name stays."""
    file = pynwb.NWBFile(session_description="raw", identifier="x3", session_start_time=START)
    group = file.create_electrode_group("shank", "one", location="?", device=file.create_device(name="probe"))
    file.add_electrode_column("depth", "um")
    file.add_electrode_column("label", "of the channel")
    for area, depth in (("VISp", 10.0), ("LGd", 20.0), ("VISp", 30.0), ("CA1", 40.0)):
        file.add_electrode(
            location=area, group=group, depth=depth, label=area[0], x=1.0 if area == "CA1" else 2.0
        )
    region = file.create_electrode_table_region(region=[0, 1], description="two")
    raw = {"data": np.zeros((100, 2), "int16"), "electrodes": region, "rate": 100.0, "conversion": 1e-6}
    file.add_acquisition(pynwb.ecephys.ElectricalSeries(name="raw", **raw))
    file.add_unit_column("group_name", "of the analysis")
    for rows in ([0, 2], [1], []):
        more = {"obs_intervals": [[0.0, 1.0]], "waveform_mean": np.ones((3, 1))}
        file.add_unit(spike_times=[0.5], electrodes=rows, group_name="mine", **more)
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    with pytest.warns(
        UserWarning, match=r"left out: .*electrodes\.depth \(several values for a unit\)"
    ) as seen:
        block = load(tmp_path / "a.nwb", check="full")
    assert any("units.waveform_mean" in str(one.message) for one in seen)
    assert bounds_of(block) == [(0.0, 1.0, 3)]
    units = block.annotations["units"]
    assert (units["location"], units["group_name"]) == (["VISp", "LGd", ""], ["mine"] * 3)
    assert units["electrode_group_name"] == ["shank", "shank", ""]
    assert units["electrode_label"] == ["V", "L", ""]  # of channels: no name of a unit
    assert "label" not in units
    np.testing.assert_array_equal(units["x"], [2.0, 2.0, np.nan])
    assert len(select(block, units={"location": "VISp"}).segments[0].spiketrains) == 1
    for damage in ({"units/electrodes": [0, 2, 7]}, {"units/electrodes_index": [2, 9, 3]}):
        with h5py.File(tmp_path / "a.nwb", "r+") as file:
            for name, values in damage.items():
                file[name][...] = values
        with pytest.warns(UserWarning, match=r"left out: .*electrodes\."):
            assert "location" not in load(tmp_path / "a.nwb").annotations["units"]


@pytest.mark.filterwarnings("ignore:no trials, no obs_intervals")
def test_columns_of_electrodes_for_many_units_are_within_the_budget(tmp_path):
    n, columns = 5000, 200  # lists of 8 MB from a file of 300 kB
    file = pynwb.NWBFile(session_description="raw", identifier="x4", session_start_time=START)
    with pynwb.NWBHDF5IO(str(tmp_path / "a.nwb"), "w") as io:
        io.write(file)
    with h5py.File(tmp_path / "a.nwb", "r+") as file:
        ends = np.r_[np.zeros(n - 1, int), 1]
        for name, values in {"id": np.arange(n), "spike_times": [0.5], "electrodes": [0]}.items():
            file[f"units/{name}"] = values
        file["units/spike_times_index"] = file["units/electrodes_index"] = ends
        for name in ("id", *(f"c{k}" for k in range(columns))):
            file[f"general/extracellular_ephys/electrodes/{name}"] = [1]
    with pytest.raises(
        FormatError, match=f"{columns} columns of the electrodes for {n} units: about 7.6 MiB"
    ):
        load(tmp_path / "a.nwb", t_stop=1 * pq.s, max_bytes=6e6)


@pytest.mark.slow
def test_other_programs_see_labels_event_times_and_columns_of_trials(tmp_path):
    events = neo.Event([1.5, 4.0] * pq.s, labels=["4 kHz", "16 kHz"], array_annotations={"depth": [1, 2]})
    trials = cut(to_block([[[1.6, 4.2]]], t_stop=6 * pq.s), events, before=1 * pq.s, after=1 * pq.s)
    for k, segment in enumerate(trials.segments):
        segment.annotations |= {"start_time": 7.0, "list": [k], "timeseries": "x", "attempt": np.int64(k)}
    trials.segments[0].annotations["only here"] = 1
    path = save(trials, tmp_path / "a.nwb")
    assert_same(trials, load(path))
    result = pynwb.validate(path=str(path))
    assert not (result[0] if isinstance(result, tuple) else result)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        table = io.read().trials
        own = ("start_time", "stop_time", "t_start", "t_stop")
        assert {key: table[key][:].tolist() for key in table.colnames if key not in own} == {
            "depth": [1, 2],
            "event_time": [1.5, 4.0],
            "label": ["4 kHz", "16 kHz"],
            "attempt": [0, 1],
        }


@pytest.mark.slow
def test_names_of_experimenters_are_kept_and_those_of_another_form_are_warned_of(tmp_path):
    path = tmp_path / "a.nwb"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        save(recording(), path, metadata={"experimenter": ["van der Berg, Jörg", "山田, 太郎", "Doe,  Jane"]})
        save(recording(), path, metadata={"experimenter": "Doe,Jane"})
    assert load(path).annotations["nwb"]["experimenter"] == ["Doe, Jane"]
    for name in ("Jane Doe", "Doe, Jane, PhD"):
        with pytest.warns(UserWarning, match="experimenter.* suggests 'Last, First'"):
            save(recording(), path, metadata={"experimenter": name})
        assert load(path).annotations["nwb"]["experimenter"] == [name]


def test_the_inspector_of_the_archive_finds_nothing_to_refuse(tmp_path):
    """Neither critical findings nor violations of the archive's rules, in a file of all that a Block holds."""
    inspector = pytest.importorskip("nwbinspector")
    archive = inspector.load_config("dandi")
    serious = ("ERROR", "PYNWB_VALIDATION", "CRITICAL", "BEST_PRACTICE_VIOLATION")
    path = str(save(rich_block(), tmp_path / "rich.nwb", metadata=METADATA))
    found = list(inspector.inspect_nwbfile(nwbfile_path=path, config=archive))
    assert [(m.check_function_name, m.message) for m in found if m.importance.name in serious] == []
    satisfied = {
        f"check_{what}"
        for what in ("experimenter_form", "keywords", "institution", "resolution", "description")
    }
    assert not satisfied & {m.check_function_name for m in found}
    bare = str(save(recording(), tmp_path / "bare.nwb"))
    names = {m.check_function_name for m in inspector.inspect_nwbfile(nwbfile_path=bare, config=archive)}
    assert "check_subject_exists" in names  # the inspector sees


def test_pynapple_reads_what_we_save(tmp_path):
    nap = pytest.importorskip("pynapple")
    path = save(
        to_block([[[0.1, 0.3], [0.2]], [[0.4], []]], t_stop=0.5 * pq.s), tmp_path / "a.nwb", metadata=METADATA
    )
    units = nap.load_file(str(path))["units"]
    assert [units[k].t.tolist() for k in (0, 1)] == [[0.1, 0.3, 0.9], [0.2]]
