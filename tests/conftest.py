"""What every test gets: no windows, no deadlines, a guard of global state, a look for a compiler."""
# Imports an internal: only a run opens `frozen_heap`, here a session of tests does.

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.util
import itertools
import os
import shutil
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Iterator
from typing import Any

import platformdirs

os.environ["MPLBACKEND"] = "Agg"
# processes share the cores out already; this is read when NumPy is imported
os.environ["OMP_NUM_THREADS"] = os.environ.get("OMP_NUM_THREADS", "1")
os.environ["OPENBLAS_NUM_THREADS"] = os.environ.get("OPENBLAS_NUM_THREADS", "1")
if "PYTEST_XDIST_WORKER" not in os.environ:
    os.environ["NSNN_CACHE_DIR"] = tempfile.mkdtemp(prefix="nsnn_tests_")
    # programs and Cython modules stay for the next session: there are many, few change, and their names are checksums of the code
    for _kind in ("cpp", "cython"):
        _kept = platformdirs.user_cache_path("nsnn_neuro", appauthor=False) / _kind
        with contextlib.suppress(OSError):
            _kept.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.symlink(_kept, os.path.join(os.environ["NSNN_CACHE_DIR"], _kind))
    # quick runs of studies are shared by the workers too, and gone at the end: a notebook reads what a study's test has run
    os.environ["NSNN_RESULTS"] = os.path.join(os.environ["NSNN_CACHE_DIR"], "results")
    atexit.register(shutil.rmtree, os.environ["NSNN_CACHE_DIR"], ignore_errors=True)

import pytest
from helpers.quick_suite import LONG_EXAMPLES, left_out
from helpers.unoptimised import FLAGS
from hypothesis import settings

collect_ignore = ["helpers/warm_workers.py"]  # simulates when imported, and has no doctest

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, database=None)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def compiler() -> str | None:
    """The C++ compiler's path, or None: CXX when it is set, else the first of c++, g++, clang++."""
    names = os.environ["CXX"].split()[:1] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    return next((path for name in names if (path := shutil.which(name))), None)


@pytest.fixture(scope="session")
def has_compiler() -> bool:
    """True when C++ (and so Cython and Brian2's standalone mode) can be compiled here."""
    return compiler() is not None


def pytest_configure(config: pytest.Config) -> None:
    """The process that hands out tests reads the workers' warnings in a thread, where Brian2 can't be imported: before, then."""
    # tests that a shell has started in the background ignore Ctrl-C, as does all that they start: those of Ctrl-C would wait
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # so do those started by nohup with the end of a terminal
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    # few examples are slow: other modules of the package are not searched for them
    if config.option.markexpr == "slow":
        long = {config.rootpath / f"{name.rpartition('.')[0].replace('.', '/')}.py" for name in LONG_EXAMPLES}
        others = set((config.rootpath / "nsnn_neuro").rglob("*.py")) - long
        config.option.ignore = [*(config.option.ignore or []), *map(str, others)]
    # nsnn_neuro.deep is imported for its doctests
    if importlib.util.find_spec("torch") is None:
        config.option.doctest_ignore_import_errors = True
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        from nsnn_neuro.brian import engine  # noqa: F401


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests marked `compile` are skipped where nothing can compile; quick ones run with two of their parameters."""
    if compiler() is None:
        for item in items:
            if item.get_closest_marker("compile"):
                item.add_marker(pytest.mark.skip(reason="no C++ compiler"))
    if config.option.markexpr in ("not slow", "slow"):
        names = [_function_of(item) for item in items]
        long = (place for place, item in enumerate(items) if item.name in LONG_EXAMPLES)
        for place in (*left_out(names), *long):
            items[place].add_marker(pytest.mark.slow)


def _function_of(item: pytest.Item) -> tuple[str, str] | None:
    """File and name of the function of a quick test with parameters."""
    if item.get_closest_marker("slow") or not hasattr(item, "callspec"):
        return None
    return str(item.path), item.nodeid.partition("[")[0]


@pytest.fixture
def known_code(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the studies' harness takes for the software they run on, whatever git says."""
    from analysis import harness, report

    known = {"git_revision": "abc", "versions": {"numpy": "2"}}
    for module in (harness, report):
        monkeypatch.setattr(module, "provenance", lambda: dict(known))
    return known


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Sixty of scikit-learn's digits in each part; returns the names of the parts that have been read."""
    from nsnn_neuro import datasets

    digits, parts = datasets.digits, []

    def some(split: str = "train", *, seed: int = 0) -> tuple[Any, Any]:
        parts.append(split)
        X, y = digits(split, seed=seed)
        return X[:60], y[:60]

    monkeypatch.setattr(datasets, "digits", some)
    return parts


@pytest.fixture(scope="module")
def unoptimised() -> Iterator[None]:
    """What this module compiles in C++ is compiled without optimisation."""
    from brian2 import prefs

    before = prefs.codegen.cpp.extra_compile_args_gcc
    prefs.codegen.cpp.extra_compile_args_gcc = FLAGS
    yield
    prefs.codegen.cpp.extra_compile_args_gcc = before


@pytest.fixture(autouse=True, scope="module")
def _small_heap() -> Iterator[None]:
    """What the tests of a module leave behind is put aside too."""
    yield
    gc.collect()
    gc.freeze()


_imported = 0  # modules when the heap was last put aside


@pytest.fixture(autouse=True)
def _small_heap_after_imports() -> Iterator[None]:
    """So is what a test has imported, up to 100,000 objects: each run collects twice, 10 ms for 20,000 of them."""
    global _imported
    yield
    if len(sys.modules) > _imported:
        _imported = len(sys.modules)
        gc.collect()
        gc.freeze()


_named = 0  # Brian2's objects when those put aside were last looked through


@pytest.fixture(autouse=True)
def _few_names() -> Iterator[None]:
    """Training puts its objects aside with the heap; Brian2 reads the names of all whenever it makes one."""
    global _named
    yield
    if tracking := sys.modules.get("brian2.core.names"):
        instances = tracking.Nameable.__instances__
        if len(instances()) > _named + 4000:
            gc.unfreeze()
            gc.collect()
            gc.freeze()
            _named = len(instances())


_SESSION = contextlib.ExitStack()


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, Any, Any]:
    """Collecting tests only adds objects: a quarter of its time would go into looking for garbage."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_finish() -> None:
    """Brian2 calls gc.collect() before every run, half of a short run's time with all that pytest has collected: put that aside."""
    from nsnn_neuro.brian.global_state import frozen_heap

    _SESSION.enter_context(frozen_heap())  # with its garbage: looking for that takes a second


def pytest_sessionfinish() -> None:
    """The heap as it was, and aside again: pytest collects ten times before it ends."""
    _SESSION.close()
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say which files took longest, so that a slow one is seen when it comes."""
    seconds: Counter[str] = Counter()
    for report in itertools.chain(*terminalreporter.stats.values()):
        if isinstance(report, pytest.TestReport):
            seconds[report.nodeid.partition("::")[0]] += report.duration
    if sum(seconds.values()) > 60:
        slowest = ", ".join(f"{name} {time:.0f} s" for name, time in seconds.most_common(10))
        terminalreporter.write_line(f"slowest files: {slowest}")


def _legacy(numpy: Any) -> tuple[Any, ...]:
    kind, keys, *rest = numpy.random.get_state()
    return kind, tuple(keys), *rest


def _close(pyplot: Any, kept: list[int]) -> None:
    for number in set(pyplot.get_fignums()) - set(kept):
        pyplot.close(number)


# What a test must leave as it found it -> (module, watched once something has imported it; read; put back)
WATCHED: dict[str, tuple[str, Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "NumPy's legacy random state": ("numpy", _legacy, lambda m, old: m.random.set_state(old)),
    "Matplotlib's open figures": ("matplotlib.pyplot", lambda m: m.get_fignums(), _close),
    "Torch's random state": (
        "torch",
        lambda m: m.get_rng_state().numpy().tobytes(),
        lambda m, old: m.set_rng_state(m.frombuffer(bytearray(old), dtype=m.uint8)),
    ),
    "Brian2's device": (
        "brian2",
        lambda m: m.get_device(),
        lambda m, old: sys.modules["brian2.devices.device"].reset_device(old),  # type: ignore[attr-defined]
    ),
    "Brian2's codegen.target": (
        "brian2",
        lambda m: m.prefs["codegen.target"],
        lambda m, old: m.prefs.__setitem__("codegen.target", old),
    ),
    "Brian2's defaultclock.dt": (
        "brian2",
        lambda m: float(m.defaultclock.dt),
        lambda m, old: setattr(m.defaultclock, "dt", old * m.second),
    ),
}


def global_state() -> dict[str, Any]:
    """The values of what is watched, of the modules that are imported by now."""
    return {
        name: read(sys.modules[module])
        for name, (module, read, _) in WATCHED.items()
        if module in sys.modules
    }


def put_right(before: dict[str, Any]) -> list[str]:
    """Names of what isn't as `before`, each put back so that one leak doesn't fail the tests after it."""
    before = {"Matplotlib's open figures": [], **before}
    changed = [name for name, value in global_state().items() if value != before.get(name, value)]
    for name in changed:
        module, _, restore = WATCHED[name]
        restore(sys.modules[module], before[name])
    return changed


@pytest.fixture(autouse=True)
def _no_leaks() -> Iterator[None]:
    """Fail a test that leaves NumPy's or Brian2's global state changed, or a Matplotlib figure open."""
    before = global_state()
    yield
    if changed := put_right(before):
        pytest.fail("the test leaves changed: " + ", ".join(changed))


@pytest.fixture
def single_precision() -> Iterator[None]:
    """Brian2's state variables in single precision."""
    import numpy as np
    from brian2 import prefs

    before = prefs.core.default_float_dtype
    prefs.core.default_float_dtype = np.float32
    yield
    prefs.core.default_float_dtype = before
