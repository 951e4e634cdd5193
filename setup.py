"""Folders of the repository that are installed inside nsnn_neuro, and the description; everything else is in pyproject.toml.

`analysis` becomes nsnn_neuro.studies; `data`, `examples` and `notebooks` keep their names. In a checkout and an editable install
they are read where they are (`nsnn_neuro.core.shipped`, `nsnn_neuro/studies/__init__.py`).
"""

import re
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

_FENCED = re.compile(r"(^```.*?^```)", re.M | re.S)
_IMAGE = re.compile(r"^!\[[^\]]*\]\([^)]*\)\n\n?(?:\*[^*].*?\*\n\n)?", re.M | re.S)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")


def description(readme: str) -> str:
    """The README without images, their captions and links to files, which lead nowhere outside of the repository.

    A link to a file becomes its label, followed by the name of the file.
    """

    def plain(link: re.Match[str]) -> str:
        label, target = link.groups()
        if "://" in target:
            return link[0]
        return label if label == target else f"{label} (`{target}`)"

    parts = _FENCED.split(readme)
    parts[::2] = [_LINK.sub(plain, _IMAGE.sub("", text)) for text in parts[::2]]
    return "".join(parts)


class WithoutScripts(build_py):
    """Leaves out the scripts beside the notebooks, which have the same cells."""

    def find_package_modules(self, package: str, package_dir: str) -> list[tuple[str, str, str]]:
        """The modules of a package that are installed."""
        return [] if package == "nsnn_neuro.notebooks" else super().find_package_modules(package, package_dir)


if __name__ == "__main__":  # also when a wheel is built
    setup(
        cmdclass={"build_py": WithoutScripts},
        long_description=description(Path(__file__).with_name("README.md").read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
        packages=[
            *find_packages(include=["nsnn_neuro*"]),  # with nsnn_neuro.studies
            *(f"nsnn_neuro.studies.{name}" for name in find_packages("analysis")),
            "nsnn_neuro.data",
            "nsnn_neuro.examples",
            "nsnn_neuro.notebooks",
        ],
        package_dir={
            "nsnn_neuro.studies": "analysis",
            "nsnn_neuro.data": "data",
            "nsnn_neuro.examples": "examples",
            "nsnn_neuro.notebooks": "notebooks",
        },
    )
