"""Pages of the site that are made when it is built: contributing, changes, and links that lead out of docs/."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[2]
_LINK = re.compile(r"(?<!!)\[([^\]]*)\]\(([^)\s]+)\)")


def _inside(text: str) -> str:
    """Links of a page at the root of the repository, as from docs/; a file that the site lacks becomes its name."""

    def link(match: re.Match[str]) -> str:
        label, target = match.groups()
        if "://" in target or target.startswith("#"):
            return match[0]
        path, hash_, part = target.partition("#")
        if path.startswith("docs/"):
            return f"[{label}]({path.removeprefix('docs/')}{hash_}{part})"
        if path in _PAGES:
            return f"[{label}]({_PAGES[path]}{hash_}{part})"
        return label if label == path else f"{label} (`{path}`)"

    return re.sub(r"\]\(docs/img/", "](img/", _LINK.sub(link, text))


_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changes.md", "README.md": "index.md"}


def on_files(files: Files, config: Any) -> Files:
    """Add the pages that stand outside of docs/."""
    for name, page in _PAGES.items():
        if name != "README.md":
            text = _inside((ROOT / name).read_text(encoding="utf-8"))
            files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Turn links to files outside of docs/ into links to their pages, or into names."""
    return _LINK.sub(
        lambda m: f"[{m[1]}]({_PAGES.get(m[2][3:], '')})" if m[2][3:] in _PAGES else f"{m[1]} (`{m[2][3:]}`)"
        if m[2].startswith("../") and not m[2].startswith("../docs") and page.file.src_uri.count("/") == 0
        else m[0],
        markdown,
    )
