"""Import of Brian2 and Numba without side effects on the process, and without settings from the working directory.

`import brian2` evaluates the values in a file `brian_preferences` of the working directory as Python code, so that a folder with
data can run code. It also replaces `sys.excepthook` by one that reports every error as a bug of Brian2, changes the format of
warnings, writes a log file and a copy of the script to the temporary folder, and fails outside the main thread. After `protect` it
is imported without these, by this package or by the user.
The file `~/.brian/user_preferences` is the user's own and is read as usual.

Numba reads `.numba_config.yaml` of the working directory, which can name a cache, whose functions are run. After `protect` it takes
its settings from environment variables alone.

A program that imports Brian2 or Numba before this package has these side effects. `protect` then only lets an `NsnnError` appear as
a plain traceback.
"""

from __future__ import annotations

import builtins
import contextlib
import gc
import importlib.machinery
import logging
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from importlib.abc import MetaPathFinder
from types import ModuleType
from typing import Any

from .errors import NsnnError
from .warn import warn

VARIABLE = "NSNN_BRIAN_PREFERENCES"
# Brian2 imports these for users' scripts, plots, tests and Cython code only. It works without them, and this package compiles
# Cython code in another process
_FOR_SCRIPTS = ("pylab", "matplotlib", "pytest", "Cython.Build")
_FILE = "brian_preferences"
_PREFERENCES = "brian2.core.preferences"
_NUMBA_FILE = ".numba_config.yaml"


class IgnoredPreferencesWarning(UserWarning):
    """`brian_preferences` or `.numba_config.yaml` of the working directory was ignored; Brian2 or Numba would have obeyed it."""


def protect() -> None:
    """Guard the first import of Brian2 and of Numba in this process, wherever it happens. Imports nothing itself.

    The environment variable NSNN_BRIAN_PREFERENCES=1 lets Brian2 evaluate the working directory's `brian_preferences`, 0 ignores
    the file without a warning. The import warns, IgnoredPreferencesWarning, when there is such a file and the variable is not set.
    """
    if "brian2" in sys.modules:
        _show_own_errors_plainly()
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


def for_command() -> None:
    """Let the first import of Brian2 in this process leave out Matplotlib, pytest and Cython's compiler, half of its time.

    For the command `nsnn`, which runs no code of users: `brian2` then lacks the names of pylab, such as `plot`. Modules that import
    Matplotlib themselves are not affected.
    """
    for finder in sys.meta_path:
        if isinstance(finder, _Finder):
            finder.left_out = _FOR_SCRIPTS


@contextlib.contextmanager
def without_collection() -> Iterator[None]:
    """Import without garbage collection, which would take a quarter of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextlib.contextmanager
def _absent(names: tuple[str, ...]) -> Iterator[None]:
    """Let the import of these modules fail inside the block, unless they are imported already."""
    added = [name for name in names if name not in sys.modules]
    for name in added:
        vars(sys)["modules"][name] = None
    try:
        yield
    finally:
        for name in added:
            del sys.modules[name]


class _Finder(MetaPathFinder):
    """Finds Brian2 and the modules of its preferences and of Numba's, and guards their execution."""

    def __init__(self) -> None:
        self.left_out: tuple[str, ...] = ()
        self._restore: Callable[[], None] = lambda: None

    def find_spec(
        self, fullname: str, path: Any, target: Any = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Brian2, its preferences or Numba's, guarded; None for all other modules."""
        guards = {"brian2": self._import_brian, _PREFERENCES: self._import_preferences}
        guard = (guards | {"numba.core.config": _import_numba_settings}).get(fullname)
        if guard is None:
            return None
        spec = importlib.machinery.PathFinder.find_spec(fullname, path, target)
        if spec is None or spec.loader is None:
            return None
        loader, execute = spec.loader, spec.loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del vars(loader)["exec_module"]
            guard(execute, module)

        vars(loader)["exec_module"] = exec_module
        return spec

    def _import_brian(self, execute: Callable[[ModuleType], None], module: ModuleType) -> None:
        try:
            with contextlib.ExitStack() as stack:
                for change in (_own_handlers, _any_thread, _quiet_matplotlib):
                    stack.enter_context(change())
                stack.enter_context(_absent(self.left_out))
                stack.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")  # from dependencies of Brian2, about Brian2
                execute(module)
        finally:
            self._restore()
        if os.environ.get(VARIABLE) is None and os.path.lexists(_FILE):
            os.environ[VARIABLE] = "0"  # no further warnings from worker processes
            warn(
                f"{os.path.abspath(_FILE)} is ignored: Brian2 would evaluate it as Python code. If the file is yours, "
                f"set the environment variable {VARIABLE}=1 to use it, or {VARIABLE}=0 to hide this warning",
                IgnoredPreferencesWarning,
            )

    def _import_preferences(self, execute: Callable[[ModuleType], None], module: Any) -> None:
        execute(module)
        preferences = module.BrianGlobalPreferences
        load, read = preferences.load_preferences, preferences.read_preference_file

        def load_preferences(self: Any) -> None:
            # defaults, which the file of the user may change
            for name in ("file_log", "save_script"):
                self[f"logging.{name}"] = False
            load(self)

        def read_preference_file(self: Any, file: Any) -> None:
            if file == _FILE and os.environ.get(VARIABLE) != "1":
                raise FileNotFoundError(file)  # for Brian2: there is no such file
            read(self, file)

        def restore() -> None:
            preferences.load_preferences, preferences.read_preference_file = load, read

        preferences.load_preferences = load_preferences
        preferences.read_preference_file = read_preference_file
        self._restore = restore


def _import_numba_settings(execute: Callable[[ModuleType], None], module: ModuleType) -> None:
    """Let Numba read any file of settings, now and when it compiles, as an empty one."""
    reader = ModuleType("yaml")
    vars(reader)["safe_load"] = lambda file: None

    def import_(name: str, *given: Any, **more: Any) -> Any:
        return reader if name == "yaml" else builtins.__import__(name, *given, **more)

    vars(module)["__builtins__"] = {**vars(builtins), "__import__": import_}
    execute(module)
    # workers warn no more; they have imported this, which takes longer than the rest of this package
    parent = getattr(sys.modules.get("multiprocessing"), "parent_process", lambda: None)
    if os.path.lexists(_NUMBA_FILE) and parent() is None:
        warn(
            f"{os.path.abspath(_NUMBA_FILE)} is ignored: Numba's settings could let it run code. If the file is yours, set "
            "environment variables such as NUMBA_NUM_THREADS instead",
            IgnoredPreferencesWarning,
        )


@contextlib.contextmanager
def _own_handlers() -> Iterator[None]:
    """Keep Python's excepthook and format of warnings, and an ignored SIGINT ignored."""
    excepthook, show = sys.excepthook, warnings.showwarning
    interrupt = signal.getsignal(signal.SIGINT)
    yield
    sys.excepthook = excepthook
    if warnings.showwarning is not show:
        logging.captureWarnings(False)
    from brian2 import BrianLogger

    logging.getLogger("py.warnings").removeHandler(BrianLogger.console_handler)
    # the handler of Brian2 calls the previous one, which must be a function
    if not callable(interrupt) and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, interrupt)


@contextlib.contextmanager
def _quiet_matplotlib() -> Iterator[None]:
    """Hide the messages of Matplotlib, which Brian2 imports, about a missing home folder."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


@contextlib.contextmanager
def _any_thread() -> Iterator[None]:
    """Let any thread import Brian2, which sets a signal handler, possible in the main thread only."""
    original = signal.signal
    if threading.current_thread() is threading.main_thread():
        yield
        return
    here = threading.get_ident()

    def set_handler(signalnum: Any, handler: Any) -> Any:
        if threading.get_ident() == here:
            return signal.getsignal(signalnum)
        return original(signalnum, handler)

    signal.signal = set_handler
    try:
        yield
    finally:
        signal.signal = original


def _show_own_errors_plainly() -> None:
    """Show an `NsnnError` as a plain traceback; other errors keep Brian2's hook, since the user has imported Brian2."""
    hook = sys.excepthook
    if getattr(hook, "__module__", "") != "brian2.utils.logger":
        return

    def excepthook(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        (sys.__excepthook__ if issubclass(kind, NsnnError) else hook)(kind, error, trace)

    sys.excepthook = excepthook
