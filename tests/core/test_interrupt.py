"""Ctrl-C while the command starts; while it compiles: tests/test_standalone.py."""
# Imports internals: the command decides on signal handlers before anything public is imported.

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nsnn_neuro.core import interrupt

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = str(ROOT / "examples" / "lif.toml")


@pytest.mark.slow
def test_ctrl_c_during_imports_ends_the_command_with_one_line(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "nsnn_neuro.cli", "simulate", EXAMPLE, "-o", "run.nwb"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:  # each names a module that has been imported
        if "brian2.units" in line:
            break
    process.send_signal(signal.SIGINT)
    said, rest = process.communicate()
    assert process.returncode == 130
    lines = [line for line in rest.splitlines() if not line.startswith("import time:")]
    assert lines == ["nsnn: interrupted"]
    assert said == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "given", "yes"),
    [
        (["/usr/bin/nsnn", "info"], ["python", "/usr/bin/nsnn", "info"], True),
        (["-m", "info"], ["python", "-W", "error", "-m", "nsnn_neuro.cli", "info"], True),
        (["script.py", "nsnn"], ["python", "script.py", "nsnn"], False),
        # a worker process gets the arguments of its parent
        (
            ["/usr/bin/nsnn", "sweep"],
            ["python", "-m", "joblib.externals.loky.backend.popen_loky_posix"],
            False,
        ),
    ],
)
def test_the_command_is_recognised(monkeypatch, arguments, given, yes) -> None:
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(sys, "orig_argv", given)
    assert interrupt.is_command() is yes


def test_handlers_change_in_the_command_alone_and_in_its_main_thread(monkeypatch) -> None:
    before = signal.getsignal(signal.SIGINT)
    try:
        interrupt.end_quietly()
        assert signal.getsignal(signal.SIGINT) is before
        monkeypatch.setattr(interrupt, "is_command", lambda: True)
        thread = threading.Thread(target=interrupt.raise_again)
        thread.start()
        thread.join()
        assert signal.getsignal(signal.SIGINT) is before
        interrupt.raise_again()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
