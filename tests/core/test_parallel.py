"""Processes that the package starts: nothing of the working directory is run, in commands, scripts and their workers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nsnn_neuro import NsnnError
from nsnn_neuro.core.parallel import check_jobs, in_processes, safe_path

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = ("joblib", "pickle", "multiprocessing", "numpy", "yaml", "nsnn_neuro", "sitecustomize")
SCRIPT = """
import nsnn_neuro
import numba
from nsnn_neuro.core import numba_jit, parallel
adding = parallel.in_processes(numba_jit.njit(lambda x: x + 1).py_func, [(1,), (2,)], 2)
print(numba.config.DISABLE_JIT, sorted(adding))
"""


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder of files that leave a mark `ran` when they are run, and of settings that Brian2 and Numba would obey."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    mark = f"open({str(folder / 'ran')!r}, 'w')"
    for name in HOSTILE:
        (folder / f"{name}.py").write_text(f"{mark}\nraise ImportError('from the working directory')\n")
    (folder / "brian_preferences").write_text(f"codegen.target = {mark} and 'numpy'\n")
    (folder / ".numba_config.yaml").write_text("disable_jit: 1\n")
    return folder


def run(folder: Path, *command: object) -> subprocess.CompletedProcess[str]:
    """A command, run in a folder, that finds this package first."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONSAFEPATH", None)
    return subprocess.run(
        [*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )


@pytest.mark.slow
def test_nothing_of_the_working_directory_runs_in_a_script_and_its_workers(hostile: Path) -> None:
    """Numba compiles as without its file, and one warning says so, not that of the workers too."""
    numba_alone, script = hostile.parent / "numba_alone.py", hostile.parent / "script.py"
    numba_alone.write_text("import numba; print(numba.config.DISABLE_JIT)")
    script.write_text(SCRIPT)
    assert run(hostile, sys.executable, numba_alone).stdout == "1\n"  # it obeys the file
    done = run(hostile, sys.executable, script)
    assert (done.returncode, done.stdout) == (0, "0 [(0, 2), (1, 3)]\n"), done.stderr
    assert not (hostile / "ran").exists()
    assert done.stderr.count(".numba_config.yaml is ignored") == 1
    assert "NUMBA_" in done.stderr


@pytest.mark.slow
def test_one_module_starts_all_processes_of_the_package() -> None:
    """Others might forget the working directory. Studies have a pool of their own, with the same variable."""
    pools = re.compile(r"\bParallel\(|ProcessPoolExecutor\(|\bProcess\(|\bPool\(|sys\.executable")
    files = (path for folder in ("nsnn_neuro", "analysis") for path in (ROOT / folder).rglob("*.py"))
    starting = {
        path.relative_to(ROOT).as_posix(): text for path in files if pools.search(text := path.read_text())
    }
    assert sorted(starting) == [
        *("analysis/__main__.py", "analysis/shared/processes.py", "nsnn_neuro/core/parallel.py")
    ]
    assert all("PYTHONSAFEPATH" in text for text in starting.values())


def test_the_environment_is_restored_after_all_blocks_of_all_threads(monkeypatch) -> None:
    for before in (None, "0"):
        monkeypatch.delenv("PYTHONSAFEPATH", raising=False)
        if before is not None:
            monkeypatch.setenv("PYTHONSAFEPATH", before)
        entered, leave = threading.Event(), threading.Event()

        def hold(entered=entered, leave=leave) -> None:
            with safe_path():
                entered.set()
                leave.wait(60)

        thread = threading.Thread(target=hold)
        with safe_path():
            thread.start()
            assert entered.wait(60)
        assert os.environ["PYTHONSAFEPATH"] == "1"  # the thread may still start processes
        leave.set()
        thread.join()
        assert os.environ.get("PYTHONSAFEPATH") == before


@pytest.mark.slow
def test_a_killed_process_is_reported_with_a_cure_and_numbers_of_jobs_are_checked(monkeypatch) -> None:
    with pytest.raises(NsnnError, match=r"n_jobs = 2: a process was killed .*: fewer, please"):
        list(in_processes(os._exit, [(1,), (1,)], 2, "fewer, please"))
    assert "PYTHONSAFEPATH" not in os.environ
    assert check_jobs(-1) >= 1
    for wrong in (0, -2, 1.5, True, "2"):
        with pytest.raises(NsnnError, match=r"n_jobs = .*expected a whole number.*-1 for all cores"):
            check_jobs(wrong)
