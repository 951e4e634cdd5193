"""Importing the package: nothing of the working directory is run, and Python's errors and warnings keep their form."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
EVALUATED = "codegen.target = open('evaluated', 'w').close() or 'numpy'\n"


def run(
    folder: Path, script: str, *options: str, environment: dict[str, str] | None = None, **kwds: Any
) -> subprocess.CompletedProcess:
    """Run a script in a folder, with a home and a folder for temporary files in it."""
    places = {name: folder / name for name in ("home", "temporary")}
    for place in places.values():
        place.mkdir(exist_ok=True)
    (folder / "script.py").write_text(textwrap.dedent(script), encoding="utf-8")
    given = {"HOME": str(places["home"]), "TMPDIR": str(places["temporary"]), "PYTHONPATH": str(ROOT)}
    kept = {k: v for k, v in os.environ.items() if k not in ("PYTHONWARNINGS", "NSNN_BRIAN_PREFERENCES")}
    return subprocess.run(
        [sys.executable, *options, "script.py"],
        cwd=folder,
        env=kept | given | (environment or {}),
        capture_output=True,
        text=True,
        **kwds,
    )


@pytest.mark.slow
def test_preferences_of_the_working_directory_are_not_evaluated_and_errors_are_pythons(
    tmp_path: Path,
) -> None:
    (tmp_path / "brian_preferences").write_text(EVALUATED, encoding="utf-8")
    done = run(
        tmp_path,
        """
        import nsnn_neuro
        import subprocess, sys, warnings
        import brian2
        subprocess.run([sys.executable, "-c", "import nsnn_neuro.brian.engine"], check=True)
        warnings.warn("of the user")
        raise nsnn_neuro.NsnnError("of the package")
        """,
    )
    assert not (tmp_path / "evaluated").exists()
    assert done.returncode == 1
    assert done.stderr.count("brian_preferences is ignored") == 1  # the worker process says nothing more
    assert "NSNN_BRIAN_PREFERENCES=1" in done.stderr
    assert "script.py:6: UserWarning: of the user\n" in done.stderr
    assert done.stderr.endswith("NsnnError: of the package\n")
    assert "Brian 2 encountered" not in done.stderr
    assert "[py.warnings]" not in done.stderr
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
def test_preferences_can_be_allowed_and_an_error_after_the_users_own_import_is_plain(tmp_path: Path) -> None:
    (tmp_path / "brian_preferences").write_text(EVALUATED, encoding="utf-8")
    done = run(
        tmp_path,
        """
        import sys
        import nsnn_neuro
        from brian2.utils import logger
        sys.excepthook = logger.brian_excepthook  # as if the user had imported Brian2 first
        nsnn_neuro.core.brian_import.protect()
        raise nsnn_neuro.NsnnError("of the package")
        """,
        environment={"NSNN_BRIAN_PREFERENCES": "1"},
    )
    assert (tmp_path / "evaluated").exists()
    assert "is ignored" not in done.stderr
    assert done.stderr.startswith("Traceback")
    assert done.stderr.endswith("NsnnError: of the package\n")


@pytest.mark.slow
def test_a_thread_imports_the_package_without_a_warning_and_the_users_own_preferences_count(
    tmp_path: Path,
) -> None:
    (tmp_path / "home" / ".brian").mkdir(parents=True)
    (tmp_path / "home" / ".brian" / "user_preferences").write_text("logging.file_log_level = 'ERROR'\n")
    done = run(
        tmp_path,
        """
        import importlib, signal, threading
        before = signal.signal
        thread = threading.Thread(target=lambda: importlib.import_module("nsnn_neuro.brian.engine"))
        thread.start()
        thread.join()
        import brian2
        print(brian2.prefs.logging.file_log_level, brian2.prefs.logging.file_log, signal.signal is before)
        print(signal.getsignal(signal.SIGINT) is signal.SIG_IGN)
        import nsnn_neuro.measures.table
        """,
        *("-W", "error"),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
    )
    assert done.stdout.splitlines() == ["ERROR False True", "True"], done.stderr
    assert (done.returncode, done.stderr) == (0, "")
