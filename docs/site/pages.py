"""Run the Python blocks of a page, compare what they print with the page, and keep their figures.

A page's blocks run in order in one process and share their names, in a folder of their own. A `text` block that follows a `python`
block is what the latter prints; `...` in it stands for any text. Results are kept in build/pages by page and version of the code.

    python docs/site/pages.py docs/getting_started.md     # run a page, and say where it differs
    python docs/site/pages.py --write docs/howto/sweep.md # write what its blocks print into the page, to be read before it is kept
"""

from __future__ import annotations

import contextlib
import difflib
import doctest
import functools
import hashlib
import io
import json
import multiprocessing
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
WITH_CODE = [ROOT / f"docs/{name}.md" for name in ("index", "getting_started", "plots", "trust", "fit_right")]
WITH_CODE += sorted((ROOT / "docs" / "howto").glob("*.md"))
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
    folder = kept(cache, page.stem, parts, _execute, page.resolve())
    return folder, json.loads((folder / "results.json").read_text())


def kept(cache: Path, stem: str, parts: tuple[str, ...], work: Callable[..., None], *arguments: Any) -> Path:
    """The folder in `cache` for what `parts` determine; work(*arguments, folder) fills a new one, in a process of its own.

    Raises
    ------
    RuntimeError : `work` raised an error
    """
    folder = cache / f"{stem}-{hashlib.sha256(chr(10).join(parts).encode()).hexdigest()[:16]}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            made = Path(scratch) / "made"
            made.mkdir()
            with ProcessPoolExecutor(1, mp_context=_FORKS) as pool:
                pool.submit(_as_for_readers, dict(os.environ), work, *arguments, made).result()
            with contextlib.suppress(OSError):  # another process was first
                made.rename(folder)
    return folder


# forks of a process that has imported what most pages need: imports take three seconds
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["elephant.spectral", "pandas", "nsnn_neuro.brian.simulate", "nsnn_neuro.likelihood.calibrate_neuron",
     "nsnn_neuro.learning.train", "nsnn_neuro.measures.information.mutual_information", "nsnn_neuro.plotting.spikes"]
)  # fmt: skip


def _as_for_readers(environment: dict[str, str], work: Callable[..., None], *arguments: Any) -> None:
    """Call work(*arguments) in a fork with an environment, without output."""
    os.environ.clear()
    os.environ.update(environment | {"CI": "true", "OMP_NUM_THREADS": "1"})
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    try:
        work(*arguments)
    except BaseException:
        raise RuntimeError(f"{arguments[0]}: {traceback.format_exc()[-3000:]}") from None


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
    import brian2
    import matplotlib.pyplot as plt

    plt.switch_backend("agg")
    brian2.prefs.codegen.target = "numpy"  # a page's own Brian2 objects would compile for most of a minute
    names: dict[str, Any] = {"__name__": "__main__"}
    text = page.read_text(encoding="utf-8")
    results = []
    with tempfile.TemporaryDirectory() as work, contextlib.chdir(work):
        for k, (code, _) in enumerate(blocks(text)):
            line = text.split(code)[0].count("\n")
            with contextlib.redirect_stdout(io.StringIO()) as printed:
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
