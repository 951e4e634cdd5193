"""Folders of the repository that are installed inside nsnn_neuro; everything else is in pyproject.toml.

`analysis` becomes nsnn_neuro.studies, `data` and `examples` keep their names. In a checkout and an editable install they are read
where they are (`nsnn_neuro.core.shipped`).
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["nsnn_neuro*"]),
        "nsnn_neuro.studies",
        *(f"nsnn_neuro.studies.{name}" for name in find_packages("analysis")),
        "nsnn_neuro.data",
        "nsnn_neuro.examples",
    ],
    package_dir={
        "nsnn_neuro.studies": "analysis",
        "nsnn_neuro.data": "data",
        "nsnn_neuro.examples": "examples",
    },
)
