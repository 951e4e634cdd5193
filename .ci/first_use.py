"""What a user does first, in new environments: install, the README's ten lines on every engine, certify three pairs, the demo.

    python .ci/first_use.py 3.13-newest 3.11-oldest                 two environments
    python .ci/first_use.py 3.12-newest-without                     without a C++ compiler
    python .ci/first_use.py --all --page docs/develop/environments.md       all of them, and the table of the page

"newest" is what `pip install .` takes; "oldest" the oldest versions in the ranges of pyproject.toml that have a wheel for
that Python (uv resolves them). Each environment has a home of its own, so empty caches. Exit status 1 if anything failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ENGINES = ("auto", "numpy", "cython", "cpp")
CERTIFIED = ("EIF",)  # white, OU and multiplicative noise
SHOWN = ("brian2", "numpy", "scipy", "neo", "elephant")
ALL = [
    f"{v}-{d}{c}" for v in ("3.11", "3.12", "3.13") for d in ("newest", "oldest") for c in ("", "-without")
]
LIMIT = 900  # seconds for one command


class Failed(Exception):
    """A command did not do what a user expects; carries its output."""


@dataclass
class Environment:
    """A new environment, and what ran there: column of the table -> words."""

    name: str
    folder: Path
    row: dict[str, str] = field(default_factory=dict)

    @property
    def compiler(self) -> bool:
        """Whether compilers are on the PATH."""
        return not self.name.endswith("-without")

    @property
    def variables(self) -> dict[str, str]:
        """Variables of a user who has never run the package; without a compiler, no program but Python is on the PATH."""
        foreign = ("PYTHON", "XDG_", "NSNN", "CXX", "CC")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        home = self.folder / "home"
        path = [str(self.folder / "env" / "bin"), *([os.environ["PATH"]] if self.compiler else [])]
        return kept | {"HOME": str(home), "PATH": os.pathsep.join(path), "CI": "true", "MPLBACKEND": "agg"}

    def run(self, *command: str | Path, fails: bool = False) -> str:
        """The output of a command in the user's folder; `fails`: it has to end with an error."""
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        program = self.folder / "env" / "bin" / command[0]
        done = subprocess.run(
            [program, *command[1:]], cwd=work, env=self.variables, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=LIMIT,
        )  # fmt: skip
        if (done.returncode != 0) != fails:
            raise Failed(
                f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout[-4000:]}"
            )
        return done.stdout

    @contextmanager
    def timed(self, column: str) -> Iterator[None]:
        """Add the seconds that a block takes to a column, and print them."""
        start = time.monotonic()
        yield
        self.row[column] = f"{self.row.get(column, '')} {time.monotonic() - start:.0f} s".strip()
        print(f"{self.name}: {column}: {self.row[column]}", flush=True)


def ten_lines() -> tuple[str, str]:
    """README's program and what it prints."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = text.split("## Ten lines of Python")[1]
    program, printed = re.findall(r"```(?:python)?\n(.*?)```", section, re.S)[:2]
    if program.count("seed=1)") != 1:
        raise SystemExit("README.md: the ten lines: expected one `seed=1)`, to name the engine behind it")
    return program, printed


def interpreter(version: str) -> str:
    """The command of a Python that can make environments; pyenv's shims answer only where the version is chosen."""
    candidates = [f"python{version}", *map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))]
    for candidate in filter(shutil.which, candidates):
        if not subprocess.run([candidate, "-c", "import venv, ensurepip"], capture_output=True).returncode:
            return candidate
    raise Failed(f"no working python{version} on this machine; tried {', '.join(candidates)}")


def install(env: Environment) -> None:
    """A new environment with the package, from the files of this checkout."""
    version, age = env.name.split("-")[:2]
    subprocess.run([interpreter(version), "-m", "venv", env.folder / "env"], check=True)
    python, source = str(env.folder / "env" / "bin" / "python"), env.folder / "source"
    # a copy, as building writes into the folder, and other environments are made at the same time
    left_out = shutil.ignore_patterns(".*", "__pycache__", "build", "results", "*.egg-info")
    shutil.copytree(ROOT, source, ignore=left_out)
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    lowest = ["--resolution", "lowest-direct", "--only-binary", ":all:", "--no-binary", "nsnn-neuro"]
    by_uv = [python, "-m", "uv", "pip", "install", "--quiet", "--python", python, *lowest, str(source)]
    for command in [[*pip, str(source)]] if age == "newest" else [[*pip, "uv"], by_uv]:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-4000:]}")
    program = "import platform; print(platform.python_version())\nfrom importlib.metadata import version"
    program += f"\nfor name in {SHOWN}: print(name, version(name))"
    python_version, *versions = env.run("python", "-c", program).splitlines()
    env.row |= {
        "Python": python_version,
        "versions": ", ".join(versions),
        "compiler": "yes" if env.compiler else "no",
    }


def run_ten_lines(env: Environment) -> None:
    """README's program on every engine: its own output, no warning, and the engine that was asked for."""
    program, printed = ten_lines()
    script = env.folder / "ten_lines.py"
    for engine in ENGINES:
        code = program.replace("seed=1)", f"seed=1, engine={engine!r})")
        script.write_text(code + 'print(block.annotations["parameters"]["engine"])\n', encoding="utf-8")
        runs = env.compiler or engine != "cpp"
        with env.timed(engine):
            output = env.run("python", script, fails=not runs)
        ran = ("cpp" if engine == "auto" else engine) if env.compiler else "numpy"
        expected = f"{printed}{ran}\n" if runs else "compiler"
        # without a compiler, NumPy takes the place of "auto" and "cython", with a warning; else there is nothing to say
        if expected not in output or (env.compiler and output != expected):
            raise Failed(f"the ten lines, engine {engine!r}: expected\n{expected}\nprinted\n{output}")
        env.row[engine] = f"{ran}, {env.row[engine]}" if runs else "refused"


def check(name: str) -> tuple[dict[str, str], str | None]:
    """Run everything in one environment; the row of the table, and what failed."""
    # with a space and a letter beyond ASCII, as in many paths of users
    with tempfile.TemporaryDirectory(prefix="first use é ") as folder:
        env = Environment(name, Path(folder))
        try:
            with env.timed("installing"):
                install(env)
            run_ten_lines(env)
            with env.timed("certify"):
                env.run("nsnn", "certify", *CERTIFIED)
            with env.timed("demo"):
                env.run("nsnn", "demo")
        except (Failed, subprocess.SubprocessError) as e:
            print(f"{name}: FAILED: {e}", flush=True)
            return env.row, str(e)
        return env.row, None


def write_table(page: Path, rows: list[dict[str, str]]) -> None:
    """Put the table of rows between the two marks of the page."""
    columns = ["Python", "versions", "compiler", *ENGINES, "certify", "demo"]
    table = [columns, ["---"] * len(columns), *([row.get(c, "**failed**") for c in columns] for row in rows)]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in table)
    before, after = re.split(r"(?<=<!-- table -->\n).*(?=<!-- end -->)", page.read_text("utf-8"), flags=re.S)
    page.write_text(f"{before}{lines}\n{after}", encoding="utf-8")


def main() -> int:
    """Check the environments that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "environments", nargs="*", metavar="VERSION-AGE[-without]", help="such as 3.13-newest"
    )
    parser.add_argument("--all", action="store_true", help="every version, age and compiler")
    parser.add_argument("--page", type=Path, help="page whose table is written")
    parser.add_argument("--jobs", type=int, default=2, help="environments at a time; default: 2")
    options = parser.parse_args()
    names = ALL if options.all else options.environments
    if unknown := set(names) - set(ALL):
        parser.error(f"unknown environments {', '.join(sorted(unknown))}: expected some of {', '.join(ALL)}")
    with ThreadPoolExecutor(options.jobs) as pool:
        checked = list(pool.map(check, names))
    if options.page:
        write_table(options.page, [row for row, _ in checked])
    failed = [name for name, (_, failure) in zip(names, checked, strict=True) if failure is not None]
    print(
        f"{len(names) - len(failed)} environments passed, {len(failed)} failed: {', '.join(failed) or 'none'}"
    )
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
