"""Pages that are made when the site is built: contributing, changes, tutorials; and the figures of pages with code."""

from __future__ import annotations

import itertools
import re
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pages

import notebooks

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


def with_code(root: Path = ROOT / "docs") -> list[Path]:
    """Pages whose code is run when the site is built."""
    return [root / "getting_started.md", *sorted((root / "howto").glob("*.md"))]


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside of docs/, the notebooks with their outputs, and figures of pages."""
    for name, page in _OUTSIDE.items():
        if name != "README.md":
            files.append(
                File.generated(config, page, content=_inside((ROOT / name).read_text(encoding="utf-8")))
            )
    with ThreadPoolExecutor(2) as pool:
        ran = list(pool.map(pages.run, with_code()))
        tutorials = list(pool.map(notebooks.as_page, notebooks.NAMES))
    for path, (folder, results) in zip(with_code(), ran, strict=True):
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
    if uri in _FIGURES:
        markdown = pages.with_figures(markdown, _FIGURES[uri])

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        name = target.removeprefix("../")
        if "/" in uri or name == target:
            return match[0]
        return f"[{label}]({_OUTSIDE[name]})" if name in _OUTSIDE else f"{label} (`{name}`)"

    return _LINK.sub(link, markdown)
