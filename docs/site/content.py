"""What the site adds to docs/: other files of the repository as pages, notebooks with outputs, menus, cards, the reference.

The sources of Sphinx are build/source: copies of docs/ and the pages that are made here. Pages stay plain Markdown, for code hosts.
"""

from __future__ import annotations

import base64
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docstrings
import executed
import nbformat
import speed
from docutils import nodes
from latex2mathml.converter import convert
from sphinx.errors import ExtensionError

import nsnn_neuro
from analysis import full_runs, harness

ROOT = executed.ROOT
DOCS, SOURCE = ROOT / "docs", ROOT / "build" / "source"
_LINK = re.compile(r"(?P<before>!?\[(?P<label>[^\]]*)\]\()(?P<path>[^)\s#:]+)(?P<part>#[^)\s]*)?\)")
_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "README.md": "index.md"}
# pages below one that has no list of them; those with a list have its links as their menu
_BELOW = {
    "verdicts": ["results", "gallery"],
    "performance": ["benchmarks"],
    "contributing": ["develop/environments", "changes", "security", "citation", "references"],
}
_MADE = {*_PAGES.values(), "verdicts.md", "benchmarks.md", "tutorials/index.md"}
_LISTS = {"index", "howto/index", "background", "reference/index"}


def repository() -> str:
    """The address of the repository as CITATION.cff has it; empty if there is none."""
    address = re.search(
        r"^repository-code: *\"?([^\"\s]+)", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.M
    )
    return address[1] if address else ""


def relinked(text: str, here: Path, page: Path) -> str:
    """Text with links that lead from `here`, a folder of the repository, as links of the site; other files become names."""

    def link(match: re.Match[str]) -> str:
        path = os.path.relpath(here / match["path"], ROOT)
        if path.startswith("docs/"):
            to = path.removeprefix("docs/")
        elif path in _PAGES or path.startswith("notebooks/"):
            to = _PAGES.get(path) or path.replace("notebooks/", "tutorials/")
        elif (ROOT / path).exists():
            return match["label"] if match["label"] == path else f"{match['label']} (`{path}`)"
        else:
            return match[0]
        return f"{match['before']}{os.path.relpath(SOURCE / to, page.parent)}{match['part'] or ''})"

    return _LINK.sub(link, text)


def verdicts() -> Iterator[str]:
    """The lines of the page of verdicts, from the kept full runs of the studies."""
    yield "# Verdicts of the studies\n"
    yield "Each study states claims with pass criteria before it runs. The verdicts are those of the newest full run of"
    yield "committed code; a claim that fails is shown as failing. `python -m analysis NAME` repeats a study."
    yield "The tables behind the verdicts: [results](results.md).\n"
    kept = full_runs.read()
    studies = {name: harness.find(name) for name in harness.studies()}
    for name, study in sorted(studies.items(), key=lambda item: not getattr(item[1], "PAPER", "")):
        yield f"## {study.CLAIM}\n"
        if getattr(study, "PAPER", ""):
            yield f"Claim of Ma, Yan & Tang 2023, in our words: {study.PAPER}.\n"
        if name not in kept:
            yield f"`{name}`: no full run of this version is kept yet.\n"
            continue
        run = kept[name]
        yield f"`{name}`: full run of {full_runs.when(run)}.\n"
        yield "| verdict | claim | evidence |\n|---|---|---|"
        for claim in sorted(run["claims"], key=lambda c: not c.central):
            word = ("holds" if claim.holds else "**fails**") + ("" if claim.central else " (secondary)")
            yield "| " + " | ".join(t.replace("|", "\\|") for t in (word, claim.text, claim.evidence)) + " |"
        yield ""


def card(title: str, link: str, text: str, image: str = "", kind: str = "doc") -> str:
    """A card of sphinx-design."""
    picture = f":img-top: {image}\n:img-alt: {title}\n" if image else ""
    return f":::{{grid-item-card}} {title}\n:link: {link}\n:link-type: {kind}\n{picture}\n{text}\n:::\n"


def grid(cards: list[str], columns: str) -> str:
    """Cards beside each other; `columns` are their numbers at four widths of the window."""
    return f"\n::::{{grid}} {columns}\n:gutter: 3\n\n" + "\n".join(cards) + "::::\n"


def menu(entries: list[str]) -> str:
    """A menu of pages that is not shown in the text."""
    return "\n```{toctree}\n:hidden:\n\n" + "\n".join(entries) + "\n```\n"


def _write(path: Path, data: str | bytes) -> None:
    """Write a file of build/source, if it is new or has changed: Sphinx reads again what is newer than its last build."""
    data = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file() or path.read_bytes() != data:
        path.write_bytes(data)


def _picture(cells: list[Any], name: str) -> str:
    """The first figure of cells as a file, and its address in the site; empty if there is none."""
    for cell in cells:
        for output in cell.get("outputs", ()):
            if png := output.get("data", {}).get("image/png"):
                _write(SOURCE / "cards" / f"{name}.png", base64.b64decode(png))
                return f"/cards/{name}.png"
    return ""


def _download(stem: str) -> str:
    return f"\nDownload as a notebook with outputs: {{nb-download}}`{stem}.ipynb`\n"


def write_sources(app: Any, config: Any) -> None:
    """Run the code of pages and notebooks that has not been run, and write build/source."""
    files = [
        p for p in DOCS.rglob("*") if p.is_file() and p.suffix != ".py" and DOCS / "site" not in p.parents
    ]
    for path in files:
        _write(SOURCE / path.relative_to(DOCS), path.read_bytes())
    for path in SOURCE.rglob("*.md"):  # of pages that have been removed
        if (
            path.relative_to(SOURCE).as_posix() not in _MADE
            and not (DOCS / path.relative_to(SOURCE)).exists()
        ):
            path.unlink()
    for name in ("CONTRIBUTING.md", "CHANGELOG.md"):
        _write(SOURCE / _PAGES[name], relinked((ROOT / name).read_text(encoding="utf-8"), ROOT, SOURCE / "x"))
    _write(SOURCE / "verdicts.md", "\n".join(verdicts()))
    try:
        _write(SOURCE / "benchmarks.md", speed.page(speed.load()))
    except speed.results.FormatError as error:
        raise ExtensionError(str(error)) from None
    notebooks = executed.execute_all()
    if bad := [text for page in executed.PAGES for text in executed.differences(page, notebooks[page])]:
        raise ExtensionError("\n".join(bad))
    cards = []
    for path in executed.NOTEBOOKS:
        first, *rest = notebooks[path].cells
        title, _, text = first.source.removeprefix("# ").partition("\n")
        first.source = f"# {title}\n{_download(path.stem)}{text}"
        _name_figures(notebooks[path])
        _write(SOURCE / "tutorials" / path.name, nbformat.writes(notebooks[path]))
        sentence = re.split(r"(?<=[.?]) ", " ".join(text.split()))[0]
        cards.append(card(title, f"/tutorials/{path.stem}", sentence, _picture(rest, path.stem)))
    page = "# Tutorials\n\nNotebooks with their results, one for each question about noise. Each runs in a few minutes.\n"
    _write(
        SOURCE / "tutorials" / "index.md",
        page + grid(cards, "1 2 2 3") + menu([p.stem for p in executed.NOTEBOOKS]),
    )


def _name_figures(notebook: Any) -> Any:
    for cell in executed.code_cells(notebook):
        cell.metadata["mystnb"] = {"image": {"alt": "Figure drawn by the code above"}}
    return notebook


def for_site(text: str) -> Any:
    """A page as a notebook, for MyST-NB."""
    return _name_figures(executed.for_site(text))


def _reference(match: re.Match[str]) -> str:
    """Entries of the reference: a table of names with their first lines, then each in full."""
    table, entries = ".. list-table::\n\n", ""
    for name in re.findall(r"::: (\S+)", match[0]):
        thing = functools.reduce(getattr, name.split(".")[1:], nsnn_neuro)
        kind = "class" if isinstance(thing, type) else "function" if callable(thing) else "data"
        first = "" if kind == "data" else docstrings.prose((thing.__doc__ or "").partition("\n")[0])
        table += f"   * - :py:obj:`~{name}`\n     - {first}\n"
        entries += f".. auto{kind}:: {name}\n\n"
    return f"```{{eval-rst}}\n{table}\n{entries}```\n\n"


def _gallery(text: str) -> str:
    """Cards with the figures of a page, each leads to the heading above its code."""
    cards, heading = [], ""
    for k, cell in enumerate(executed.with_outputs(executed.page_cells(text)).cells):
        headings = re.findall(r"^#{2,} (.*)$", cell.source, re.M) if cell.cell_type == "markdown" else []
        heading = headings[-1] if headings else heading
        if image := _picture([cell], f"plot-{k}"):
            slug = re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
            cards.append(card(heading, f'"#{slug}"', "", image, "url"))
    return grid(cards, "2 3 3 4")


def _citation(app: Any, doi: re.Match[str]) -> str:
    """A citation of the list of references; a link if the list does not have the work."""
    entries = app.env.get_domain("cite").bibdata.data.entries
    keys = [key for key, entry in entries.items() if entry.fields.get("doi") == doi[1]]
    return f"{{cite}}`{keys[0]}`" if keys else f"{{doi}}`{doi[1]}`"


def on_page(app: Any, name: str, source: list[str]) -> None:
    """Turn a page of docs/ into one of the site."""
    page, text = SOURCE / f"{name}.md", source[0]
    if not page.is_file():  # a notebook
        return
    original = DOCS / f"{name}.md"
    if original.is_file():
        text = relinked(text, original.parent, page)
    text = docstrings.DOI.sub(functools.partial(_citation, app), text)
    text = re.sub(r"(?:^::: \S+\n+)+", _reference, text, flags=re.M)
    if original in executed.PAGES and name != "index" and "```python" in text:
        title, _, rest = text.partition("\n")
        text = f"{title}\n{_download(original.stem)}{_gallery(text) if name == 'plots' else ''}{rest}"
    below = [f"/{entry}" for entry in _BELOW.get(name, ())]
    if name in _LISTS:
        for label, path in re.findall(r"^- .*?\[([^\]]+)\]\(([\w/]+)\.(?:md|ipynb)\)", text, re.M):
            below.append(f"{label} <{path}>")
        items = re.compile(r"^- \*\*\[(.+?)\]\((\S+?)\.md\)\*\*: (.*)\n", re.M)
        runs = re.compile(
            rf"(?:{items.pattern})+".replace("(.+?)", ".+?")
            .replace("(\\S+?)", "\\S+?")
            .replace("(.*)", ".*"),
            re.M,
        )
        text = runs.sub(
            lambda run: grid([card(*m.groups()) for m in items.finditer(run[0])], "1 2 2 3"), text
        )
    source[0] = text + (menu(below) if below else "")


def _math(block: bool) -> Any:
    def visit(self: Any, node: nodes.Element) -> None:
        self.body.append(convert(node.astext(), display="block" if block else "inline"))
        raise nodes.SkipNode

    return visit


def setup(app: Any) -> None:
    """Connect the hooks."""
    app.connect("config-inited", write_sources)
    app.connect("source-read", on_page)
    app.connect("autodoc-skip-member", docstrings.skip)
    app.connect("autodoc-process-signature", docstrings.signature)
    app.connect("autodoc-process-docstring", docstrings.process)
    app.add_html_math_renderer("mathml", (_math(False), None), (_math(True), None))
