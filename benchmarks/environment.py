"""The machine and the versions that a benchmark ran with."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from comparison import NOT_INSTALLED

import nsnn_neuro

# packages that are compared or compute, as they are named where they are installed from -> as they are imported
PACKAGES = {
    **dict.fromkeys(("brian2", "numpy", "scipy", "numba", "neo", "elephant", "torch"), ""),
    **dict.fromkeys(("pyspike", "jax", "nemos", "snntorch", "spikingjelly", "h5py"), ""),
    "cython": "Cython",
    "scikit-learn": "sklearn",
    "nest-simulator": "nest",
}


def compiler() -> str | None:
    """The path of CXX or of the first of c++, g++, clang++; None without any."""
    names = [*os.environ.get("CXX", "").split()[:1], "c++", "g++", "clang++"]
    return next((path for name in names if (path := shutil.which(name))), None)


def installed(package: str) -> bool:
    """Whether one of PACKAGES can be imported; it is not imported."""
    return find_spec(PACKAGES[package] or package) is not None


def versions() -> dict[str, str]:
    """Versions of Python, this package and PACKAGES; `not installed` for a package that is absent."""
    out = {"python": platform.python_version(), "nsnn-neuro": nsnn_neuro.__version__}
    for package in PACKAGES:
        try:
            out[package] = version(package) if installed(package) else NOT_INSTALLED
        except PackageNotFoundError:
            out[package] = "unknown"  # importable, but not installed as a package
    return out


def load() -> float | None:
    """Mean number of running processes in the last minute; None where the system does not say."""
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def facts() -> dict[str, str]:
    """Processor, cores, load, threads of BLAS, system and compiler."""
    processor = platform.processor() or platform.machine()
    if (listing := Path("/proc/cpuinfo")).exists():
        lines = listing.read_text().splitlines()
        names = [line.split(":", 1)[1].strip() for line in lines if "model name" in line]
        processor = names[0] if names else processor
    first = "no C++ compiler"
    if path := compiler():
        shown = subprocess.run([path, "--version"], capture_output=True, text=True).stdout.splitlines()
        first = shown[0] if shown else path
    mean = load()
    return {
        "processor": processor,
        "cores": str(os.cpu_count()),
        "load": "unknown" if mean is None else f"{mean:.1f}",
        "blas_threads": os.environ.get("OMP_NUM_THREADS", "default"),
        "system": f"{platform.system()} {platform.release()}",
        "compiler": first,
    }


def machine() -> str:
    """Processor, cores, compiler and versions, in two lines."""
    here, numbers = facts(), versions()
    packages = ", ".join(f"{name} {numbers[name]}" for name in ("brian2", "numpy", "cython", "nsnn-neuro"))
    text = f"{here['processor']}, {here['cores']} cores, load {here['load']}; {here['compiler']}"
    return f"{text}\nPython {numbers['python']}, {packages}"
