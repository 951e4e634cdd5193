"""Pages that are made when the site is built: contributing, changes, tutorials, benchmarks; and figures of pages with code."""

from __future__ import annotations

import importlib
import itertools
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[2])]
pages: Any = importlib.import_module("pages")
notebooks: Any = importlib.import_module("notebooks")
speed: Any = importlib.import_module("speed")
harness: Any = importlib.import_module("analysis.harness")
full_runs: Any = importlib.import_module("analysis.full_runs")

ROOT = pages.ROOT
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")
_OUTSIDE = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "README.md": "index.md"}
_FIGURES: dict[str, list[list[str]]] = {}  # page -> names of figures by block


def _inside(text: str) -> str:
    """A page at the root of the repository with links as from docs/; a file that the site lacks becomes its name."""

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        path, _, part = target.partition("#")
        if "://" in target or not path:
            return match[0]
        page = path.removeprefix("docs/") if path.startswith("docs/") else _OUTSIDE.get(path)
        if page:
            return f"[{label}]({page}{'#' + part if part else ''})"
        return label if label == path else f"{label} (`{path}`)"

    return re.sub(r"\]\(docs/img/", "](img/", _LINK.sub(link, text))


def verdicts() -> str:
    """The page of verdicts, from the kept full runs of the studies."""
    out = [
        "# Verdicts of the studies\n",
        "Each study states claims with pass criteria before it runs. The verdicts are those of the newest full run of",
        "committed code; a claim that fails is shown as failing. `python -m analysis NAME` repeats a study.",
        "The tables behind the verdicts: [results](results.md).\n",
    ]
    kept = full_runs.read()
    studies = {name: harness.find(name) for name in harness.studies()}
    for name, study in sorted(studies.items(), key=lambda item: not getattr(item[1], "PAPER", "")):
        out.append(f"## {study.CLAIM}\n")
        if getattr(study, "PAPER", ""):
            out.append(f"Claim of Ma, Yan & Tang 2023, in our words: {study.PAPER}.\n")
        if name not in kept:
            out.append(f"`{name}`: no full run of this version is kept yet.\n")
            continue
        run = kept[name]
        minutes = f"{run['seconds'] / 60:.0f} min" if run["seconds"] > 90 else f"{run['seconds']:.0f} s"
        out += [f"`{name}`: full run of {run['finished'][:10]}, revision {run['revision']}, {minutes}.\n"]
        out += ["| verdict | claim | evidence |", "|---|---|---|"]
        for claim in sorted(run["claims"], key=lambda c: not c.central):
            word = "holds" if claim.holds else "**fails**"
            cells = word + ("" if claim.central else " (secondary)"), claim.text, claim.evidence
            out.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
        out.append("")
    return "\n".join(out)


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside of docs/, the notebooks with their outputs, and figures of pages."""
    for name, page in _OUTSIDE.items():
        if name != "README.md":
            files.append(
                File.generated(config, page, content=_inside((ROOT / name).read_text(encoding="utf-8")))
            )
    files.append(File.generated(config, "verdicts.md", content=verdicts()))
    try:
        files.append(File.generated(config, "benchmarks.md", content=speed.page(speed.load())))
    except speed.results.FormatError as error:
        raise PluginError(str(error)) from None
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(pages.run, pages.WITH_CODE))
        tutorials = list(pool.map(notebooks.as_page, notebooks.NAMES))
    for path, (folder, results) in zip(pages.WITH_CODE, ran, strict=True):
        for text in pages.differences(path, results):
            raise PluginError(text)
        uri = path.relative_to(ROOT / "docs").as_posix()
        _FIGURES[uri] = [result["figures"] for result in results]
        for figure in itertools.chain(*_FIGURES[uri]):
            where = (Path(uri).parent / figure).as_posix()
            files.append(File.generated(config, where, abs_src_path=str(folder / figure)))
    for name, (text, images) in zip(notebooks.NAMES, tutorials, strict=True):
        files.append(File.generated(config, f"tutorials/{name}.md", content=text))
        for image, data in images.items():
            files.append(File.generated(config, f"tutorials/{image}", content=data))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Add the figures of a page's code, and turn links to files outside of docs/ into links to their pages, or names."""
    uri = page.file.src_uri
    if uri.startswith(("howto/", "getting_started")):
        page.meta["search"] = {"boost": 3}  # a task's page before a function's
    elif uri.startswith(("changes", "verdicts")):
        page.meta["search"] = {"boost": 0.5}
    if uri in _FIGURES:
        markdown = pages.with_figures(markdown, _FIGURES[uri])

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        name = target.removeprefix("../")
        if "/" in uri or name == target:
            return match[0]
        return f"[{label}]({_OUTSIDE[name]})" if name in _OUTSIDE else f"{label} (`{name}`)"

    return _LINK.sub(link, markdown)
