"""What the wheel and the source distribution contain, and that the installed package finds it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest

import nsnn_neuro as nsnn

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("nsnn_neuro", ".ci", ".github", "analysis", "benchmarks", "conda", "data", "docs", "examples")
FOLDERS += ("notebooks", "tests")
FILES = ("*.md", "*.bib", "*.cff", "*.json", "*.toml", "*.in", "setup.py", "Makefile", "LICENSE")
MADE = ("__pycache__", ".ipynb_checkpoints", "*.nwb", "results", "*.lock")


def read(name: str) -> str:
    """A text file of the repository."""
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the repository in `source`, its wheel and its source distribution; needs no network."""
    folder = tmp_path_factory.mktemp("built")
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / "source" / name, ignore=shutil.ignore_patterns(*MADE))
    for path in (path for pattern in FILES for path in ROOT.glob(pattern)):
        shutil.copy(path, folder / "source")
    script = "from setuptools import build_meta as b; b.build_sdist('..'); b.build_wheel('..')"
    subprocess.run([sys.executable, "-c", script], cwd=folder / "source", check=True, capture_output=True)
    return folder


def files(folder: Path) -> set[str]:
    """The files under a folder, without what building left there."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {path for path in paths if not re.match(r"build/|[^/]*\.egg-info/", path)}


@pytest.mark.slow
def test_the_wheel_has_package_studies_recordings_and_examples(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        (metadata,) = (name for name in archive.namelist() if name.endswith("METADATA"))
        text = archive.read(metadata).decode()
    assert f"\nVersion: {nsnn.__version__}\n" in text
    assert "\nDescription-Content-Type: text/markdown\n" in text
    assert text.endswith("\n\n" + description(read("README.md")))
    expected = {path for path in files(built / "source") if path.startswith(("nsnn_neuro/", "analysis/"))}
    expected = {re.sub("^analysis/", "nsnn_neuro/studies/", path) for path in expected}
    expected |= {f"nsnn_neuro/examples/{path.name}" for path in (ROOT / "examples").iterdir()}
    expected |= {f"nsnn_neuro/notebooks/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    recordings = ("LICENSE", "README.md", "grasshopper1.npz", "grasshopper2.npz")
    expected |= {f"nsnn_neuro/data/grasshopper/{name}" for name in recordings}
    assert names == expected


def description(readme: str) -> str:
    """What setup.py makes of a README, in another process: setuptools replaces distutils, which Brian2 has imported here."""
    script = (
        "import importlib.util as u, sys; spec = u.spec_from_file_location('nsnn_setup', 'setup.py'); "
        "module = u.module_from_spec(spec); spec.loader.exec_module(module); sys.stdout.write(module.description(sys.stdin.read()))"
    )
    made = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, input=readme, capture_output=True, text=True, check=True
    )
    return made.stdout


@pytest.mark.slow
def test_the_source_distribution_has_every_file(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert files(built / "source") - names == set()


@pytest.mark.slow
def test_an_installed_package_finds_studies_recordings_and_examples(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    site, work = built / "site", built / "work"
    work.mkdir()
    zipfile.ZipFile(wheel).extractall(site)
    script = """
import nsnn_neuro as nsnn
from nsnn_neuro.cli.main import main
assert nsnn.__file__.startswith(__import__("os").environ["PYTHONPATH"])
assert len(nsnn.datasets.grasshopper(2).segments[0].spiketrains[0]) == 868
assert main(["example", "lif.toml"]) == 0
assert main(["study"]) == 0
assert main(["notebooks", "grasshopper"]) == 0
from nsnn_neuro.studies import full_runs
assert full_runs.verdicts("grasshopper").data.shape[0] > 0
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=work,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "grasshopper " in done.stdout
    assert {path.name for path in work.iterdir()} == {"lif.toml", "grasshopper.ipynb"}


def test_the_version_is_that_of_a_release_tag() -> None:
    tags = [os.environ["GITHUB_REF_NAME"]] if os.environ.get("GITHUB_REF_TYPE") == "tag" else []
    if (ROOT / ".git").exists():
        command = ["git", "tag", "--points-at", "HEAD", "--list", "v*"]
        tags += subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.split()
    assert set(tags) <= {f"v{nsnn.__version__}"}


def test_citation_codemeta_paper_and_badges_state_what_pyproject_states() -> None:
    project, meta = tomllib.loads(read("pyproject.toml"))["project"], json.loads(read("codemeta.json"))
    citation = read("CITATION.cff")
    authors = [author["name"] for author in project["authors"]]
    assert authors == [author["name"] for author in meta["author"]]
    for text in (citation, read("paper.md")):
        assert re.findall(r"^ +- name: (.*)", text, re.M) == authors
    words = citation.partition("keywords:\n  - ")[2].partition("\nreferences:")[0].split("\n  - ")
    assert project["keywords"] == meta["keywords"] == words
    assert meta["description"] == project["description"]
    assert meta["version"] == nsnn.__version__ == re.findall(r"^version: (.*)", citation, re.M)[0]
    needs = {"python" + project["requires-python"], *project["dependencies"]}
    assert {need.lower().replace(" ", "") for need in meta["softwareRequirements"]} <= needs
    pythons = re.findall(r"Python :: (3\.\d+)", " ".join(project["classifiers"]))
    assert meta["runtimePlatform"] == [f"Python {version}" for version in pythons]
    assert f">{' | '.join(pythons)}<" in read("docs/img/badge_python.svg")
    licence = project["license"]
    assert meta["license"] == f"https://spdx.org/licenses/{licence}"
    assert f"\nlicense: {licence}\n" in citation
    assert f">{licence}<" in read("docs/img/badge_licence.svg")


def test_the_workflow_has_every_step_of_the_gate() -> None:
    steps = {"docs", *re.findall(r"\bmake ([a-z-]+)$", read(".ci/run"), re.M)}
    assert {"lint", "test", "test-slow", "first-use"} < steps
    assert steps <= set(re.findall(r"- run: make ([a-z-]+)", read(".github/workflows/tests.yml")))
