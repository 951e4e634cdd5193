"""Run the Python blocks of a page, compare what they print with the page, and keep their figures.

A page's blocks run in order in one process and share their names, in a folder of their own. A `text` block that follows a `python`
block is what the latter prints; `...` in it stands for any text. Results are kept in build/pages by page and version of the code.

    python docs/site/pages.py docs/getting_started.md     # run a page, and say where it differs
    python docs/site/pages.py --write docs/howto/sweep.md # write what its blocks print into the page, to be read before it is kept
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import doctest
import functools
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"^```python\n(?P<code>.*?)^```\n(?:\n*```text\n(?P<expected>.*?)^```\n)?", re.M | re.S)
_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def blocks(text: str) -> list[tuple[str, str | None]]:
    """(code, expected output or None) of each Python block of a page."""
    return [(match["code"], match["expected"]) for match in _BLOCK.finditer(text)]


def with_figures(text: str, figures: list[list[str]]) -> str:
    """The page with the figures of each block below it; `figures` are names of images by block."""
    images = iter(figures)
    return _BLOCK.sub(
        lambda m: m[0] + "".join(f"\n![Figure drawn by the code above]({name})\n" for name in next(images)),
        text,
    )


@functools.cache
def code_version(*folders: str) -> str:
    """Checksum of the files in folders of the repository."""
    found = (path for folder in folders for path in (ROOT / folder).rglob("*"))
    files = sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)
    return hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()


def run(page: Path, cache: Path = ROOT / "build" / "pages") -> tuple[Path, list[dict[str, Any]]]:
    """Run a page or find its kept results: the folder of its figures, and {"printed", "figures"} of each block.

    Raises
    ------
    RuntimeError : a block raised an error
    """
    text = page.read_text(encoding="utf-8")
    parts = code_version("nsnn_neuro", "data", "examples"), str(sys.version_info[:2]), text
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]
    folder = cache / f"{page.stem}-{key}"
    if not (folder / "results.json").is_file():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            work, made = Path(scratch) / "work", Path(scratch) / "made"
            work.mkdir()
            made.mkdir()
            server = _server()
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(json.dumps([str(page.resolve()), str(work), str(made)]) + "\n")
            server.stdin.flush()
            server.stdout.readline()
            if not (made / "results.json").is_file():
                error = made / "error.txt"
                raise RuntimeError(f"{page}: {error.read_text()[-3000:] if error.is_file() else 'it died'}")
            shutil.rmtree(folder, ignore_errors=True)
            made.rename(folder)
    return folder, json.loads((folder / "results.json").read_text())


_SERVERS = threading.local()


def _server() -> subprocess.Popen[str]:
    """A process of this thread that has imported what pages need, and runs each page in a fork: imports take seconds."""
    if not hasattr(_SERVERS, "process") or _SERVERS.process.poll() is not None:
        environment = os.environ | {"MPLBACKEND": "agg", "PYTHONPATH": str(ROOT), "CI": "true"}
        _SERVERS.process = subprocess.Popen(
            [sys.executable, __file__, "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        atexit.register(_stop, _SERVERS.process, os.getpid())
    return _SERVERS.process


def _stop(server: subprocess.Popen[str], owner: int) -> None:
    if os.getpid() == owner:  # not in a fork of this process
        server.communicate()  # its input ends, and so does it


def _serve() -> None:
    """Run the pages that the standard input names, until it ends."""
    import brian2
    import elephant.spectral  # noqa: F401
    import matplotlib.pyplot  # noqa: F401
    import pandas  # noqa: F401
    import scipy.stats  # noqa: F401

    import nsnn_neuro as nsnn

    for _ in (nsnn.simulate, nsnn.measures.mutual_information, nsnn.plotting.raster, nsnn.fit_neuron):
        pass  # imports their modules
    brian2.prefs.codegen.target = "numpy"  # a page's own Brian2 objects would compile for most of a minute
    for line in sys.stdin:
        page, work, made = json.loads(line)
        child = os.fork()
        if not child:
            silence = os.open(os.devnull, os.O_WRONLY)
            os.dup2(silence, 1)  # the standard output is for the answers
            os.dup2(silence, 2)
            try:
                os.chdir(work)
                _execute(Path(page), Path(made))
            except BaseException:
                (Path(made) / "error.txt").write_text(traceback.format_exc())
            os._exit(0)
        os.waitpid(child, 0)
        print("done", flush=True)


def differences(page: Path, results: list[dict[str, Any]]) -> list[str]:
    """Where the printed text of a page's blocks differs from the page, a text for each such block."""
    out = []
    for (code, expected), result in zip(blocks(page.read_text(encoding="utf-8")), results, strict=True):
        if not doctest.OutputChecker().check_output(expected or "", result["printed"], _FLAGS):
            pair = (expected or "").splitlines(), result["printed"].splitlines()
            lines = difflib.unified_diff(*pair, "page", "printed", lineterm="")
            out.append(f"{page}: the block that begins with {code.splitlines()[0]!r}:\n" + "\n".join(lines))
    return out


def _written(text: str, results: list[dict[str, Any]]) -> str:
    """The page with what its blocks printed."""
    printed = iter(results)

    def block(match: re.Match[str]) -> str:
        out = next(printed)["printed"].rstrip()
        return f"```python\n{match['code']}```\n" + (f"```text\n{out}\n```\n" if out else "")

    return _BLOCK.sub(block, text)


def _execute(page: Path, folder: Path) -> None:
    """Run the blocks of a page in this process; write their figures and results.json into the folder."""
    import matplotlib.pyplot as plt

    names: dict[str, Any] = {"__name__": "__main__"}
    results = []
    for k, (code, _) in enumerate(blocks(page.read_text(encoding="utf-8"))):
        line = page.read_text(encoding="utf-8").split(code)[0].count("\n")
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * line + code, str(page), "exec"), names)
        figures = []
        for number in plt.get_fignums():
            figures.append(f"{page.stem}-{k}-{number}.png")
            plt.figure(number).savefig(folder / figures[-1], dpi=120, bbox_inches="tight")
        plt.close("all")
        results.append({"printed": printed.getvalue(), "figures": figures})
    (folder / "results.json").write_text(json.dumps(results))


def main(arguments: list[str]) -> int:
    """Run pages; the exit status is 1 if one of them prints something else than it says."""
    if arguments[0] == "--serve":
        _serve()
        return 0
    bad = 0
    for name in (a for a in arguments if a != "--write"):
        folder, results = run(Path(name))
        if "--write" in arguments:
            Path(name).write_text(_written(Path(name).read_text(encoding="utf-8"), results), encoding="utf-8")
        for text in differences(Path(name), results):
            print(text)
            bad = 1
        print(f"{name}: {len(results)} blocks; figures in {folder}")
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
