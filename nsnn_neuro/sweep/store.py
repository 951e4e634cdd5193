"""The folder of many calls, as of a sweep: their configuration and the finished points, in files that are replaced atomically.

manifest.json has the configuration: what defines the table (`identity`), and the software that computes it. chunk-*.json hold the
rows of finished points, each with the hash of the configuration and a checksum; table.csv and errors.json are written at the end.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..core.errors import FormatError, NsnnError
from ..core.results import damaged, digest, folder_of, read_plain, write_plain, written
from ..core.warn import warn
from .fingerprint import without_modules
from .grid import OF_THE_POINT, PARTS
from .worker import COLUMNS

_OWN = re.compile(
    r"manifest\.json|chunk-[\w-]+\.json|table\.csv|errors\.json|\w+\.lock|\.[\w.-]+\.[0-9a-f]{12}\.tmp"
)
_SCRATCH = re.compile(r"\w+\.lock|\.[\w.-]+\.[0-9a-f]{12}\.tmp")
_SOFTWARE = ("code", "versions", "git_revision")


def identity(config: dict[str, Any]) -> dict[str, Any]:
    """What defines a sweep, independent of the software: its models, grid, seeds, measures and sizes.

    The package's classes and functions are named without their modules, so manifests of earlier versions, with modules, compare
    equal.

    >>> identity({"model": {"type": "nsnn_neuro.models.neurons.LIF"}, "seeds": [1], "code": "4c60"})["model"]
    {'type': 'LIF'}
    """
    result = {key: value for key, value in config.items() if key not in _SOFTWARE}
    for key in (*PARTS, "measures"):
        result[key] = without_modules(config.get(key))
    if not any(result[part] == OF_THE_POINT for part in PARTS):
        result.pop("records", None)  # follows from the parts and the points
    return result


@dataclasses.dataclass(frozen=True)
class Kind:
    """What a folder holds: the function that fills it, and how the results of a point are kept."""

    name: str
    """Of the function, in the names and first lines of files."""
    noun: str
    """For messages."""
    encoded: Callable[[dict[str, Any]], dict[str, Any]]
    """The results of a point as JSON can keep them."""
    decoded: Callable[[Any], dict[str, Any]]
    """The results of a point from a file, without its number and errors, which are checked; an exception for anything else."""


class Folder:
    """The folder of one sweep, or of another kind; use it in `with Folder(path).locked():`."""

    def __init__(self, path: str | os.PathLike[str], kind: Kind | None = None) -> None:
        self.path: Path = folder_of(path)
        self.kind: Kind = kind or SWEEP
        self._lock = self.path / f"{self.kind.name}.lock"
        option = " (--no-resume)" * (self.kind is SWEEP)
        self._cure = f"use another folder, or resume=False{option}, which deletes the results in this one and starts again"
        self.hash: str = ""
        self._other_software = ""

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out; the lock ends with the process in any case."""
        try:
            self._check_own()
            self._lock.touch()
        except OSError as error:
            raise NsnnError(f"out = {self.path}: not writable ({error.strerror})") from None
        lock = FileLock(self._lock)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise NsnnError(
                f"out = {self.path}: another process runs this {self.kind.noun}: wait for it, or use another folder"
            ) from None
        except (OSError, NotImplementedError):
            pass  # a file system without locks: two sweeps at once repeat work, but do no other harm
        try:
            yield
        finally:
            lock.release()

    def _check_own(self) -> None:
        """Refuse a folder that has other files but no results of this kind."""
        manifest = self.path / "manifest.json"
        if manifest.is_file():
            with manifest.open("rb") as file:
                if self._format().encode() in file.read(200):
                    return
        files = self.path.iterdir()
        if foreign := sorted(p.name for p in files if not (_SCRATCH.fullmatch(p.name) and p.is_file())):
            raise NsnnError(
                f"out = {self.path}: the folder contains {foreign[0]!r} but no manifest.json of a {self.kind.noun}: "
                "expected a new or empty folder; move its files elsewhere to use it"
            )

    def _format(self, part: str = "") -> str:
        """The first line of a file."""
        return f"nsnn_neuro {self.kind.name} {part}1"

    def known(self) -> dict[str, Any] | None:
        """The configuration of the sweep in the folder, or None; FormatError for a damaged manifest."""
        path = self.path / "manifest.json"
        if not path.exists():
            return None
        with damaged(f"out = {path}: damaged, or not of a {self.kind.noun}", self._cure):
            return dict(read_plain(path, self._format(), "config"))

    def begin(self, config: dict[str, Any], resume: bool) -> None:
        """Prepare the folder for the sweep `config`, keeping its finished points if `resume`; refuse another sweep's."""
        known = self.known() if resume else None
        if not resume:
            own = [p for p in self.path.iterdir() if _OWN.fullmatch(p.name) and p.is_file()]
            # the manifest last, so that a half-emptied folder is still recognised
            for path in sorted(own, key=lambda p: p.name == "manifest.json"):
                if path != self._lock:
                    path.unlink()
        elif known is not None and identity(known) != identity(config):
            changed = "; ".join(differences(identity(known), identity(config)))
            raise NsnnError(f"out = {self.path} holds another {self.kind.noun} ({changed}): {self._cure}")
        for path in self.path.glob(".*.tmp"):
            if _OWN.fullmatch(path.name):
                path.unlink(missing_ok=True)
        kept = config if known is None else known
        self.hash = digest(kept)
        old, new = ({key: one.get(key) for key in _SOFTWARE} for one in (kept, config))
        if old != new:
            more = differences(_without_package(old), _without_package(new))
            self._other_software = "; ".join([f"{_version(old)} before, {_version(new)} now", *more])
            return
        write_plain(self.path / "manifest.json", self._format(), "config", kept, indent=1)

    def check_software(self, n_done: int, n_points: int) -> None:
        """Warn when rows were computed by another version of the software; refuse to go on where `n_done` < `n_points`."""
        if not self._other_software:
            return
        if n_done < n_points:
            raise NsnnError(
                f"out = {self.path}: {n_points - n_done} of {n_points} points are missing or failed; the others were computed by "
                f"another version ({self._other_software}), and rows of two versions are not mixed: finish the "
                f"{self.kind.noun} with the "
                f"version that began it, or {self._cure}"
            )
        warn(
            f"out = {self.path}: these rows were computed by another version ({self._other_software}); they are read, not "
            "computed again (resume=False computes them again)"
        )

    def write(self, name: str, text: str) -> None:
        """Write a file atomically."""
        with written(self.path / name, "out") as part:
            part.write_text(text, encoding="utf-8", newline="")

    def add(self, seed: int, points: list[dict[str, Any]]) -> None:
        """Save the results of a chunk."""
        content = {"config": self.hash, "seed": seed, "points": [self.kind.encoded(one) for one in points]}
        numbers = [one["point"] for one in points]
        name = f"chunk-{seed}-{min(numbers)}-{max(numbers)}-{digest(numbers)[:12]}.json"
        write_plain(self.path / name, self._format("chunk "), "chunk", content)

    def results(self, seeds: list[int], n_points: int) -> dict[tuple[int, int], dict[str, Any]]:
        """Finished points: (seed, point) -> results. Failed points are left out."""
        finished: dict[tuple[int, int], dict[str, Any]] = {}
        for path in sorted(self.path.glob("chunk-*.json")):
            try:
                with damaged(f"{path}: not of this {self.kind.noun}, or damaged", "its points run again"):
                    seed, points = self._read(path, seeds, n_points)
            except FormatError as error:
                warn(str(error))
                continue
            finished.update({(seed, one["point"]): one for one in points if not one["failed"]})
        return finished

    def _read(self, path: Path, seeds: list[int], n_points: int) -> tuple[int, list[dict[str, Any]]]:
        chunk = read_plain(path, self._format("chunk "), "chunk")
        if chunk["config"] != self.hash:
            raise ValueError("another configuration")
        if chunk["seed"] not in seeds:
            raise ValueError("unknown seed")
        points = [self._checked(one, n_points) for one in chunk["points"]]
        return int(chunk["seed"]), points

    def _checked(self, one: Any, n_points: int) -> dict[str, Any]:
        """The results of a point from a file; an exception for anything else."""
        point, failed = one["point"], one["failed"]
        if type(point) is not int or not 0 <= point < n_points or type(failed) is not list:
            raise ValueError("wrong point")
        return {"point": point, "failed": failed, **self.kind.decoded(one)}


def _version(software: dict[str, Any]) -> str:
    versions = software["versions"]
    version = versions.get("nsnn_neuro") if isinstance(versions, dict) else None
    revision = f"git revision {str(software['git_revision'])[:12]}, " if software["git_revision"] else ""
    return f"nsnn_neuro {version} ({revision}code checksum {str(software['code'])[:12]})"


def _without_package(software: dict[str, Any]) -> Any:
    """The versions of Python and the other packages."""
    versions = software["versions"]
    if not isinstance(versions, dict):
        return versions
    return {name: version for name, version in versions.items() if name != "nsnn_neuro"}


def _encoded(one: dict[str, Any]) -> dict[str, Any]:
    """The rows with NaN and infinities, which JSON lacks, as text; every float is read back exactly."""

    def column(kind: str, values: list[Any]) -> list[Any]:
        if kind != "number":
            return values
        return [float(v) if math.isfinite(v) else repr(float(v)) for v in values]

    return {**one, "rows": {name: column(COLUMNS[name], values) for name, values in one["rows"].items()}}


def _decoded(one: Any) -> dict[str, Any]:
    """The rows of a point from a file, as `worker.run` returns them; ValueError for anything else."""
    rows = one["rows"]
    if list(rows) != list(COLUMNS):
        raise ValueError("wrong columns")
    lengths = {len(column) for column in rows.values()}
    if len(lengths) != 1 or not lengths.pop():
        raise ValueError("columns of different length, or none")
    types = {"integer": (int,), "text": (str,), "index": (int, type(None)), "number": (float, int)}
    back: dict[str, list[Any]] = {}
    for name, kind in COLUMNS.items():
        for value in rows[name]:
            if type(value) not in types[kind] and (kind != "number" or value not in ("nan", "inf", "-inf")):
                raise ValueError(f"unexpected value {value!r:.40}")
        back[name] = [float(value) for value in rows[name]] if kind == "number" else list(rows[name])
    few = one.get("few", [])  # chunks of earlier versions have none
    if type(few) is not list or any(type(name) is not str for name in few):
        raise ValueError("unexpected names of measures")
    return {"rows": back, "few": few}


SWEEP = Kind("sweep", "sweep", _encoded, _decoded)


def differences(old: Any, new: Any) -> list[str]:
    """The differences between two configurations, as at most five lines and the number of the others."""
    lines: list[str] = []

    def walk(a: Any, b: Any, where: str) -> None:
        if isinstance(a, dict) and isinstance(b, dict):
            for key in [*a, *(k for k in b if k not in a)]:
                walk(a.get(key), b.get(key), f"{where}.{key}" if where else str(key))
        elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
            for k, (one, other) in enumerate(zip(a, b, strict=True)):
                walk(one, other, f"{where}[{k}]")
        elif a != b:
            lines.append(f"{where}: {_short(a)} before, {_short(b)} now")

    walk(old, new, "")
    return lines[:5] + ([f"and {len(lines) - 5} more"] if len(lines) > 5 else [])


def _short(value: Any) -> str:
    if isinstance(value, list) and (len(value) > 4 or any(isinstance(v, dict) for v in value)):
        return f"{len(value)} values"
    text = str(value)
    return text if len(text) <= 80 else text[:77] + "..."
