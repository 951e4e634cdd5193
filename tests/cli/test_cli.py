"""The command `nsnn`: its results against the Python API, its exit codes, and what it says."""

from __future__ import annotations

import csv
import io
import os
import re
import signal
import subprocess
import sys
import threading
import warnings
from datetime import UTC, datetime, timedelta
from pathlib import Path

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.command import RUN, error, main

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.cli import simulate
from nsnn_neuro.core.warn import warn

ROOT = Path(__file__).resolve().parents[2]


def spikes(block: neo.Block) -> list[list[list[float]]]:
    return [[train.magnitude.tolist() for train in segment.spiketrains] for segment in block.segments]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("NSNN_DEBUG", raising=False)
    (tmp_path / "run.toml").write_text(RUN)
    return tmp_path


@pytest.fixture
def recording(folder: Path) -> list[list[list[float]]]:
    """The file two.nwb of two trials of two neurons, and its spike times."""
    times = [[[0.1, 0.2, 0.5, 0.6], [0.3]], [[0.1, 0.4], []]]
    nsnn.save(nsnn.to_block(times, t_stop=1 * pq.s), folder / "two.nwb")
    return times


# --- simulate ----------------------------------------------------------------------------------------------


def api_block(seed: int = 1, **options) -> neo.Block:
    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    noise, stimulus = nsnn.WhiteNoise(3.5 * mV), nsnn.Constant(15 * mV)
    given = {"n_neurons": 3, "trials": 2, "duration": 0.2 * second, "seed": seed, "engine": "numpy"}
    return nsnn.simulate(cell, noise, stimulus, **given | options)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [None, 7])
def test_simulate_gives_the_spikes_of_the_api(folder: Path, capsys, seed) -> None:
    extra = [] if seed is None else ["--seed", str(seed)]
    assert main(["simulate", "run.toml", "-o", "run.nwb", *extra]) == 0
    said = error(capsys)
    got, expected = nsnn.load("run.nwb"), api_block(seed or 1)
    assert spikes(got) == spikes(expected)
    assert sum(len(train) for trial in spikes(got) for train in trial) > 0
    assert got.annotations["parameters"] == expected.annotations["parameters"]
    assert got.annotations["seed"] == (seed or 1)
    assert f"seed {seed or 1}, engine numpy" in said
    assert "2 trials, 3 neurons" in said


def test_silence_without_noise_is_explained(folder: Path, capsys) -> None:
    model, _, rest = re.split(r"\n(?=\[noise\]|\[stimulus\])", RUN)
    (folder / "run.toml").write_text(f"{model}\n{rest}")
    assert main(["simulate", "run.toml", "-o", "run.nwb"]) == 0
    assert (
        "warning: run.toml: no [noise]: without noise, neurons whose drive stays" in capsys.readouterr().err
    )


def test_a_warning_is_shown_once_per_command(folder: Path, monkeypatch, capsys) -> None:
    """Python forgets which it has shown at each `catch_warnings`, so at each simulation."""

    def run(arguments) -> int:
        for text in ("no compiler", "no compiler", "no noise"):
            with warnings.catch_warnings():
                warnings.simplefilter("default")
                warn(text)
        return 0

    monkeypatch.setattr(simulate, "run", run)
    for _ in range(2):
        assert main(["simulate", "run.toml", "-o", "run.nwb"]) == 0
        assert capsys.readouterr().err == "nsnn: warning: no compiler\nnsnn: warning: no noise\n"


def test_a_file_can_hold_arrays_tables_and_recorded_membranes(folder: Path) -> None:
    text = """
    model = {type = "NSNNNeuron", beta = [0.5, 0.9], reset = "subtract"}
    noise.type = "EscapeNoise"
    noise.family.type = "Gaussian"
    noise.family.sigma = 0.4
    [stimulus]
    type = "Sinusoid"
    mean = 0.8
    amplitude = 0.25
    frequency = "0.05 kHz"
    [run]
    n_neurons = 2
    duration = "100 ms"
    dt = "1 ms"
    seed = 3
    engine = "numpy"
    record_v = [1]
    """
    (folder / "n.toml").write_text(text)
    assert main(["simulate", "n.toml", "-o", "n.nwb"]) == 0
    expected = nsnn.simulate(
        nsnn.NSNNNeuron(beta=np.array([0.5, 0.9]), reset="subtract"),
        nsnn.EscapeNoise(nsnn.Gaussian(0.4)),
        nsnn.Sinusoid(0.8, 0.25, 50 * Hz),
        **{"n_neurons": 2, "duration": 100 * ms, "dt": 1 * ms, "seed": 3, "engine": "numpy", "record_v": [1]},
    )
    got = nsnn.load("n.nwb")
    assert spikes(got) == spikes(expected)
    assert got.annotations["parameters"] == expected.annotations["parameters"]
    signals = [{s.name: s.magnitude.tolist() for s in b.segments[0].analogsignals} for b in (got, expected)]
    assert signals[0] == signals[1]
    assert set(signals[0]) == {"stimulus", "v"}


def test_an_output_that_cannot_be_is_refused_before_the_run(recording, folder, capsys, monkeypatch) -> None:
    monkeypatch.setattr("nsnn_neuro.brian.simulate.simulate", lambda *_, **__: pytest.fail("it ran"))
    (folder / "config.nwb").write_text(RUN)
    (folder / "link.nwb").symlink_to("config.nwb")
    (folder / "sub.nwb").mkdir()
    for output, message in [
        ("run.txt", "expected a name that ends in .nwb"),
        ("none/run.nwb", "there is no folder none"),
        ("sub.nwb", "that is a folder: expected the name of a file"),
        ("config.nwb", "that is the input, which would be overwritten"),
        ("link.nwb", "that is the input, which would be overwritten"),
    ]:
        assert main(["simulate", "config.nwb", "-o", output]) == 2
        assert error(capsys) == f"-o {output}: {message}"
    assert (folder / "config.nwb").read_text() == RUN
    for output, message in [("fig.doc", "ends in .eps .jpg"), ("no/fig.png", "no folder no")]:
        assert main(["plot", "two.nwb", "-o", output]) == 2
        assert message in error(capsys)


def test_a_wrong_configuration_leaves_no_file(folder, capsys) -> None:
    for old, new, said in [
        ("tau_m", "tau_n", "run.toml:4: tau_n: LIF has no such key; did you mean 'tau_m'?"),
        ("0.2 s", "1.23 us", "run.toml:21: duration = 1.23 us: expected a whole number of steps"),
    ]:
        (folder / "run.toml").write_text(RUN.replace(old, new))
        assert main(["simulate", "run.toml", "-o", "run.nwb"]) == 2
        assert error(capsys).startswith(said)
    (folder / "run.toml").write_text(RUN)
    assert main(["simulate", "run.toml", "-o", "run.nwb", "--seed", "-3"]) == 2
    assert error(capsys).startswith("seed = -3: expected")  # and not looked for in the file
    (folder / "run.toml").unlink()
    assert main(["simulate", "run.toml", "-o", "run.nwb"]) == 2
    assert error(capsys).startswith("run.toml: No such file")
    assert list(folder.iterdir()) == []


# --- measure -----------------------------------------------------------------------------------------------


def test_measure_prints_a_table_that_machines_read(recording, capsys) -> None:
    assert main(["measure", "two.nwb", "--csv"]) == 0
    out, err = capsys.readouterr()
    rows = list(csv.DictReader(io.StringIO(out)))
    assert err == ""
    assert list(rows[0]) == ["block", "population", "neuron", "measure", "value", "se", "n", "unit"]
    got = {(row["measure"], int(row["neuron"])): row["value"] for row in rows}
    assert {measure for measure, _ in got} == {"firing_rate", "cv", "cv2", "lv", "fano_factor"}
    for j in range(2):
        counts = [len(trial[j]) for trial in recording]
        assert abs(float(got["firing_rate", j]) - sum(counts) / 2) < 1e-12
        assert abs(float(got["fano_factor", j]) - np.var(counts, ddof=1) / np.mean(counts)) < 1e-12
    intervals = np.concatenate([np.diff(trial[0]) for trial in recording])
    assert abs(float(got["cv", 0]) - intervals.std() / intervals.mean()) < 1e-12
    assert got["cv", 1] == ""


def test_measure_prints_a_table_that_people_read(recording, folder, capsys) -> None:
    assert main(["measure", "two.nwb"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    names = ["file", "neuron", "firing_rate (Hz)", "cv", "cv2", "lv", "fano_factor"]
    assert re.split(r"\s{2,}", header) == names
    assert len({len(line) for line in (header, *rows)}) == 1
    cells = [re.split(r"\s{2,}", row) for row in rows]
    # counts 4 and 2 in 1 s: mean 3, SD of the mean 1
    assert cells[0][:3] == ["two.nwb", "0", "3.0 ± 1.0"]
    assert cells[1][:4] == ["two.nwb", "1", "0.50 ± 0.50", "-"]
    block = nsnn.to_block({"PV1": [0.1, 0.3], "SOM2": [0.2]}, t_stop=1 * second)
    nsnn.save(block, folder / "ids.nwb")
    assert main(["measure", "ids.nwb"]) == 0
    header, *cells = (re.split(r"\s{2,}", line) for line in capsys.readouterr().out.splitlines())
    assert header[:3] == ["file", "id", "firing_rate (Hz)"]
    assert [row[1:3] for row in cells] == [["PV1", "2"], ["SOM2", "1"]]


@pytest.mark.slow
def test_a_limit_on_memory_is_no_fault_of_the_package(recording, folder) -> None:
    """Libraries that cannot be loaded raise an ImportError."""
    code = (
        "import resource, sys; from nsnn_neuro.cli.main import main; "
        "resource.setrlimit(resource.RLIMIT_AS, (2**27, -1)); sys.exit(main(['measure', 'two.nwb']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2, done.stderr
    assert "ulimit -v" in done.stderr


def test_measure_shows_the_first_rows_of_a_long_table(recording, capsys, monkeypatch) -> None:
    """A file of a million units took more than a minute; --csv has all of them."""
    monkeypatch.setattr("nsnn_neuro.cli.measure._MOST_ROWS", 1)
    assert main(["measure", "two.nwb"]) == 0
    out, err = capsys.readouterr()
    assert re.search("first 1 rows .*--csv", err)
    assert [row.split()[:3] for row in out.splitlines()[1:]] == [["two.nwb", "0", "3.0"]]
    assert main(["measure", "two.nwb", "--csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 11


def test_measure_of_populations_and_several_files(recording, folder, capsys) -> None:
    block = nsnn.to_block([[[0.1], [0.2, 0.3], [0.4, 0.5, 0.6]]], t_stop=1 * pq.s)
    block.annotations["populations"] = [{"name": "E", "size": 2}, {"name": "I", "size": 1}]
    nsnn.save(block, folder / "net.nwb")
    assert main(["measure", "two.nwb", "net.nwb", "--by", "population"]) == 0
    out, err = capsys.readouterr()
    cells = [re.split(r"\s{2,}", row) for row in out.splitlines()[1:]]
    assert [row[:3] for row in cells] == [
        ["two.nwb", "neurons", "1.8 ± 1.2"],  # rates 3 and 0.5: mean 1.75, SD / sqrt 2 = 1.25
        ["net.nwb", "E", "1.50 ± 0.50"],
        ["net.nwb", "I", "3"],
    ]
    assert [row[-1] for row in cells[1:]] == ["-", "-"]
    assert err == (
        "nsnn: warning: net.nwb: fano_factor is left out: window = None: expected at least two counts; "
        "take more trials, or give window=..., e.g. 100*ms\n"
    )


def test_measure_names_the_file_it_cannot_read(recording, folder, capsys) -> None:
    (folder / "bad.nwb").write_text("0.1 0.2")
    assert main(["measure", "two.nwb", "bad.nwb"]) == 2
    assert error(capsys).startswith("bad.nwb: not an HDF5 file such as NWB, or one that is cut off; text")
    assert main(["measure", "run.toml"]) == 2
    cure = "run `nsnn simulate run.toml -o run.nwb` and give run.nwb"
    assert error(capsys) == f"run.toml: a configuration, not a recording: {cure}"
    (folder / "sub").mkdir()
    (folder / "sub" / "spikes.txt").write_text("0.1")
    (folder / "empty").mkdir()
    for name in ("sub", "empty"):
        with pytest.raises(NsnnError, match=f"{name}: a folder that no reader understands: expected a file"):
            nsnn.load(name)
    assert main(["measure", "none.nwb"]) == 2
    assert error(capsys).startswith("none.nwb: No such file")


# --- plot --------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "ending"), [("isi", "png"), ("all", "pdf")])
def test_plot_writes_a_figure(recording, folder, capsys, monkeypatch, kind, ending) -> None:
    from matplotlib.figure import Figure

    seen = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: (seen.append(self), save(self, *a, **k)))
    assert main(["plot", "two.nwb", "-o", f"fig.{ending}", "--kind", kind]) == 0
    assert capsys.readouterr() == ("", "")
    assert (folder / f"fig.{ending}").read_bytes()[:4] == {"png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    assert len(seen[0].axes) == (3 if kind == "all" else 1)
    labels = {ax.get_ylabel() for ax in seen[0].axes}
    expected = {"raster": "neuron (2 trials each)", "psth": "rate (Hz)", "isi": "density (1/ms)"}
    assert labels == (set(expected.values()) if kind == "all" else {expected[kind]})


def test_plot_takes_a_bin_width(recording, capsys, monkeypatch) -> None:
    from nsnn_neuro import plotting

    widths = []
    draw = plotting.psth
    monkeypatch.setattr(
        plotting,
        "psth",
        lambda b, *, bin_width, ax: (widths.append(bin_width), draw(b, bin_width=bin_width, ax=ax)),
    )
    assert main(["plot", "two.nwb", "-o", "fig.png", "--kind", "psth", "--bin-width", "50 ms"]) == 0
    assert main(["plot", "two.nwb", "-o", "fig.png", "--kind", "psth"]) == 0
    assert [float(np.asarray(w)) for w in widths] == [0.05, 0.01]  # 1 s / 100
    capsys.readouterr()
    assert main(["plot", "two.nwb", "-o", "fig.png", "--bin-width", "50"]) == 2
    assert error(capsys) == '--bin-width = "50" has no unit: expected a time such as "20 ms"'


@pytest.mark.slow
def test_plot_leaves_out_what_cannot_be_drawn(folder, capsys) -> None:
    block = neo.Block()
    for times, stop in (([0.1, 0.2], 0.5), ([0.7], 1.0)):
        block.segments.append(neo.Segment())
        block.segments[-1].spiketrains.append(neo.SpikeTrain(times, t_stop=stop, units="s"))
    nsnn.save(block, folder / "uneven.nwb")
    assert main(["plot", "uneven.nwb", "-o", "fig.png"]) == 0  # trials of different length are no obstacle
    assert "left out" not in capsys.readouterr().err
    assert main(["plot", "uneven.nwb", "-o", "fig.png", "--bin-width", "2 s"]) == 0
    words = "warning: uneven.nwb: psth is left out: bin_width = 2.0 s is longer than the longest trial"
    assert words in capsys.readouterr().err
    assert main(["plot", "uneven.nwb", "-o", "fig.png", "--kind", "psth", "--bin-width", "2 s"]) == 2
    assert error(capsys).startswith("bin_width = 2.0 s is longer")


def test_info_leaves_the_signals_of_an_address_unread(capsys, monkeypatch) -> None:
    block, asked = nsnn.to_block([[[0.1]]], t_stop=1 * pq.s), []
    monkeypatch.setattr("nsnn_neuro.io.save_load.load", lambda _, signals: asked.append(signals) or block)
    for path in ("https://a.org/a.nwb", "a.nwb"):
        assert main(["info", path]) == 0
    assert asked == [False, True]


# --- info, and the command itself --------------------------------------------------------------------------


def table(text: str) -> dict[str, str]:
    return dict(re.split(r"\s{2,}", line, maxsplit=1) for line in text.splitlines())


@pytest.mark.slow
def test_info_of_a_file(folder, capsys) -> None:
    block = api_block(record_v=[0, 2])
    nsnn.save(block, folder / "run.nwb")
    assert main(["info", "run.nwb"]) == 0
    shown = table(capsys.readouterr().out)
    n = sum(len(train) for trial in spikes(block) for train in trial)
    assert shown["size"] == f"2 trials, 3 neurons, {n} spikes ({n / (2 * 3 * 0.2):.4g} Hz)"
    expected = {
        "duration": "0.2 s",
        "seed": "1",
        "dt": "100 us",
        "signal": "v, 2 channels, V, 10000 Hz (of trial 0)",
    }
    expected |= {"model.type": "LIF", "model.tau_m": "20 ms", "noise.sigma": "3.5 mV", "stimulus.v": "15 mV"}
    expected |= {"made with numpy": np.__version__}
    assert {key: shown[key] for key in expected} == expected


def test_info_of_strange_annotations_prints_no_control_characters(folder, capsys) -> None:
    block = nsnn.to_block([[[0.1]]], t_stop=1 * pq.s)
    block.annotations["note\x1b[2J"] = "a\x07\u202eb"
    nsnn.save(block, folder / "odd.nwb")
    assert main(["info", "odd.nwb"]) == 0
    assert all(line.isprintable() for line in capsys.readouterr().out.split("\n"))


def test_info_without_a_file(capsys, monkeypatch) -> None:
    nsnn.provenance()  # which looks for git
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CXX", raising=False)
    assert main(["--version"]) == 0
    version = capsys.readouterr().out.split()[1]
    assert main(["info"]) == 0
    shown = table(capsys.readouterr().out)
    assert shown["nsnn_neuro"] == version
    assert shown["numpy"] == np.__version__
    assert shown["neo"] == neo.__version__
    assert shown["engines"] == "numpy"
    assert shown["compiler"].startswith("no C++ compiler")


@pytest.mark.slow
def test_check_names_what_an_archive_would_miss(capsys, folder, recording) -> None:
    assert main(["check", "two.nwb"]) == 0
    shown = capsys.readouterr().out
    assert "no damage found; 2 trials, 2 neurons" in shown
    assert "to share it on DANDI, add metadata (save(block, path, metadata=...)): no subject" in shown
    assert "simulation" not in shown
    block = nsnn.load("two.nwb")
    block.annotate(seed=1, parameters={})  # as simulate does
    nsnn.save(block, "simulated.nwb")
    assert main(["check", "simulated.nwb"]) == 0
    assert "it is a simulation: do not invent a subject" in capsys.readouterr().out
    block = nsnn.to_block(recording, t_stop=1 * second)
    facts = {
        "subject": {"subject_id": "m1", "species": "Mus musculus", "sex": "F", "age": "P90D"},
        "session_start_time": "2024-05-04",
        "experimenter": ["Doe, Jane"],
    }
    nsnn.save(block, "full.nwb", metadata=facts)
    assert main(["check", "full.nwb"]) == 0
    assert "no resolution of the spike times" in capsys.readouterr().out
    block.annotations["dt"] = 0.1
    nsnn.save(block, "full.nwb", metadata=facts)
    assert main(["check", "full.nwb"]) == 0
    assert "are as DANDI asks for" in capsys.readouterr().out
    block.rec_datetime = datetime.now(UTC) + timedelta(days=1)
    del facts["session_start_time"]
    with pytest.warns(UserWarning, match="Last, First"):
        nsnn.save(block, "odd.nwb", metadata=facts | {"experimenter": "Jane Doe"})
    assert main(["check", "odd.nwb"]) == 0
    shown = capsys.readouterr().out
    assert re.search("on DANDI, add metadata .* is in the future\n", shown)
    assert "experimenter 'Jane Doe' is not of the form 'Last, First'" in shown


def test_version_and_help(capsys) -> None:
    assert main(["--version"]) == 0
    assert re.fullmatch(r"nsnn \d+\.\d+\.\d+\n", capsys.readouterr().out)
    commands = ("simulate", "explore", "sweep", "measure", "plot", "info", "check", "cache", "certify")
    for command in ([], *([name] for name in commands)):
        assert main([*command, "--help"]) == 0
        assert capsys.readouterr().out.startswith("usage: nsnn")


def test_wrong_arguments_are_named_with_the_ones_meant(capsys) -> None:
    for arguments, message in [
        ("", ""),
        ("simulate", ""),
        ("simulate run.toml", ""),
        ("measure", ""),
        ("measure a --by x", ""),
        ("simulate a -o b.nwb --seed x", ""),
        ("plot a -o b.png --kind pie", ""),
        ("mesure a.nwb", "; did you mean 'measure'? (see nsnn --help)"),
        ("measure a.nwb --by nueron", "; did you mean 'neuron'? (see nsnn measure --help)"),
        (
            "simulate a.toml -o b.nwb --sead 3",
            "arguments: --sead 3; did you mean '--seed'? (see nsnn simulate",
        ),
        ("sweep a.toml -o b --jop=2", "; did you mean '--jobs'? (see nsnn sweep"),
        ("info a b", "unrecognized arguments: b (see nsnn info --help)"),
    ]:
        assert main(arguments.split()) == 2
        said = error(capsys)
        assert message in said
        assert re.search(r"\(see nsnn.* --help\)$", said)


def caused(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def test_exit_codes(capsys, monkeypatch) -> None:
    for raised, code, said in [
        (RuntimeError("odd\x1b[2J"), 3, [r"internal error, RuntimeError: odd\x1b[2J", "NSNN_DEBUG=1"]),
        (ValueError("x"), 3, ["internal error, ValueError: x", "NSNN_DEBUG=1"]),
        (NsnnError("x = 1:\nexpected 2"), 2, ["x = 1: expected 2"]),
        (PermissionError(13, "Permission denied", "a.nwb"), 2, ["a.nwb: Permission denied"]),
        (OSError("no space"), 2, ["no space"]),
        (MemoryError(), 2, ["not enough memory"]),
        (caused(RuntimeError("an object"), MemoryError()), 2, ["not enough memory"]),  # as inside Brian2
        (KeyboardInterrupt(), 130, ["interrupted"]),
    ]:

        def fail(*_, raised=raised, **_options):
            raise raised

        monkeypatch.delenv("NSNN_DEBUG", raising=False)
        monkeypatch.setattr("nsnn_neuro.io.save_load.load", fail)
        assert main(["info", "a.nwb"]) == code
        message = error(capsys)
        assert all(words in message for words in said)
        monkeypatch.setenv("NSNN_DEBUG", "1")
        assert main(["info", "a.nwb"]) == code
        assert "Traceback" in capsys.readouterr().err


def process(module: str, arguments: list[str], **options) -> subprocess.Popen:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    environment.pop("PYTHONUNBUFFERED", None)  # with it every print would meet a closed pipe at once
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


@pytest.mark.slow
def test_as_a_process_with_a_terminal_that_knows_ascii_alone(recording, folder) -> None:
    one = process("nsnn_neuro", ["measure", "two.nwb"], cwd=folder)
    out, err = one.communicate(timeout=120)
    assert (one.returncode, err) == (0, "")
    assert "3.0 +/- 1.0" in out


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_error(recording, folder) -> None:
    one = process("nsnn_neuro.cli", ["measure", "two.nwb"], cwd=folder)
    assert one.stdout
    assert one.stderr
    one.stdout.close()
    assert one.wait(timeout=120) == 141
    with one.stderr:
        assert one.stderr.read() == ""


@pytest.mark.slow
def test_ctrl_c_ends_a_run_without_a_file(folder, capsys) -> None:
    (folder / "run.toml").write_text(RUN.replace("0.2 s", "2000 s"))
    timer = threading.Timer(2.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    assert main(["simulate", "run.toml", "-o", "run.nwb"]) == 130
    timer.join()
    assert error(capsys) == "interrupted"
    assert not list(folder.glob("*.nwb"))
