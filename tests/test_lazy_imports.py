"""The package loads what is used: no Brian2, Numba or torch before, and only public names in sight."""

from __future__ import annotations

import ast
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

import nsnn_neuro as nsnn

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("brian2", "numba", "torch", "scipy", "neo", "elephant", "pandas", "matplotlib")


def loaded(*steps: str) -> list[set[str]]:
    """The heavy packages that each of some statements imports, one after the other in a fresh process."""
    script = (
        "import json, sys\nfound = []\nfor step in json.loads(sys.argv[1]):\n    exec(step, {})\n"
        f"    found.append([m for m in {HEAVY} if m in sys.modules])\nprint(json.dumps(found))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, json.dumps(steps)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    found = [set(), *map(set, json.loads(done.stdout.splitlines()[-1]))]
    return [after - before for before, after in itertools.pairwise(found)]


# Statements of a process, and what they may import. Each may import what those before may: what these have is no news
LIGHT: list[tuple[str, set[str]]] = [
    ("import nsnn_neuro.measures", set()),
    ("import nsnn_neuro as nsnn; dir(nsnn), nsnn.__version__", set()),
    (
        "import nsnn_neuro as nsnn\nfor name in ('firing_rate', 'siegert_rate', 'raster', 'rate_mse', 'pgd'):\n"
        "    assert not hasattr(nsnn, name)",
        set(),
    ),
    ("from nsnn_neuro.cli.main import main\nmain(['study'])", set()),
    ("import nsnn_neuro as nsnn; nsnn.measures.firing_rate", {"neo"}),
    (
        "import nsnn_neuro as nsnn, quantities as pq\n"
        "nsnn.measures.fano_factor(nsnn.to_block([[[0.1]], [[0.1, 0.3]], [[0.2]]], t_stop=1 * pq.s))",
        {"neo", "scipy"},
    ),
    ("from nsnn_neuro.cli.main import main\nmain(['info'])", {*HEAVY} - {"brian2", "numba", "torch"}),
]
HEAVIER: list[tuple[str, set[str]]] = [
    ("import nsnn_neuro as nsnn; nsnn.theory.siegert_rate", {*HEAVY} - {"brian2", "torch", "matplotlib"}),
    (
        "import nsnn_neuro as nsnn; from brian2 import ms\n"
        "nsnn.simulate(nsnn.NSNNNeuron(), duration=1 * ms, dt=1 * ms, engine='numpy')",
        {*HEAVY} - {"torch"},
    ),
    # functions are not hidden by the folders of their names
    (
        "import nsnn_neuro.sweep.grid, nsnn_neuro.certify.run, nsnn_neuro as nsnn; "
        "assert nsnn.sweep.__name__ == 'sweep' and nsnn.certify.__name__ == 'certify'; "
        "from nsnn_neuro import sweep; assert callable(sweep)",
        {*HEAVY} - {"torch"},
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize("steps", [LIGHT, HEAVIER], ids=["light", "heavier"])
def test_heavy_packages_wait_until_they_are_needed(steps: list[tuple[str, set[str]]]) -> None:
    found = loaded(*(statements for statements, _ in steps))
    for (statements, allowed), new in zip(steps, found, strict=True):
        assert new <= allowed, statements
    if steps is HEAVIER:
        assert "brian2" in found[1]  # it comes when it is used


@pytest.mark.parametrize("module", [nsnn, nsnn.measures], ids=lambda m: m.__name__)
def test_dir_shows_the_public_names_and_nothing_else(module) -> None:
    stub = ast.parse(Path(module.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    listed = next(
        ast.literal_eval(node.value)
        for node in stub.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    )
    assert sorted(dir(module)) == sorted(module.__all__) == sorted(listed)
    assert [name for name in listed if getattr(module, name, None) is None] == []


def test_public_names_of_rooms_are_found_without_importing_them() -> None:
    """Every public name of a room that the package lacks is answered with its room. (`LIGHT` looks for imports.)"""
    rooms = (
        "measures",
        "theory",
        "plotting",
        "losses",
        "coding",
        "learning",
        "likelihood",
        "datasets",
        "reference",
    )
    checked = 0
    for room in rooms:
        for name in getattr(nsnn, room).__all__:
            if name in nsnn.__all__ or name == "tabulate":
                continue
            with pytest.raises(
                AttributeError, match=rf"nsnn_neuro has no '{name}'; it is .*\b{room}\.{name}\b"
            ):
                getattr(nsnn, name)
            checked += 1
    assert checked > 150


def test_an_unknown_name_is_an_import_error() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Nonsense'"):
        exec("from nsnn_neuro import Nonsense")


def test_a_misspelt_name_gets_one_suggestion() -> None:
    """Python adds its own to an `AttributeError` without a name."""
    done = subprocess.run(
        [sys.executable, "-c", "import nsnn_neuro as nsnn; nsnn.simulat"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stderr.endswith("AttributeError: nsnn_neuro has no 'simulat'; did you mean 'simulate'?\n")


@pytest.mark.slow
def test_the_command_imports_no_plots_no_compilers_and_no_functions_of_scipy(has_compiler: bool) -> None:
    """What `nsnn simulate` imports before a compiled run; Matplotlib itself can still be imported afterwards.

    A module that this process has compiled gives NumPy's spikes there without Cython's compiler.
    """
    run = (
        "from brian2 import mV, ms; cell = nsnn.LIF(tau_m=17*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)\n"
        "spikes = [[t.magnitude.tolist() for t in nsnn.simulate(cell, nsnn.WhiteNoise(3*mV), nsnn.Constant(25*mV), n_neurons=3, "
        "duration=200*ms, seed=1, engine=engine).segments[0].spiketrains] for engine in engines]\n"
        "assert spikes[0] == spikes[-1] and any(spikes[0])"
    )
    engines = ("numpy", "cython") if has_compiler else ("numpy",)
    exec(run, {"nsnn": nsnn, "engines": engines[-1:]})
    script = (
        "from nsnn_neuro.core import brian_import; brian_import.for_command(); import sys, nsnn_neuro as nsnn; nsnn.simulate; "
        "unused = {'matplotlib', 'numba', 'pylab', 'pytest', 'scipy.special', 'scipy.signal', 'scipy.stats', 'Cython.Build', "
        "'Cython.Compiler.Main'} & set(sys.modules); assert not unused, unused; "
        "import brian2, pylab; assert not hasattr(brian2, 'plot') and pylab.plot\n"
        f"engines = {engines}\n{run}\nassert 'Cython.Compiler.Main' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
