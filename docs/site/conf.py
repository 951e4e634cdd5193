"""Settings of Sphinx for the site: `make docs`. Hooks and generated pages are in content.py beside it."""

import importlib
import os
import sys
from pathlib import Path

import nsnn_neuro

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "docs" / "site"), str(ROOT)]
content = importlib.import_module("content")  # beside this file; it imports `analysis`

project, author = "nsnn_neuro", "The nsnn_neuro developers"
version = release = nsnn_neuro.__version__
copyright = f"{author}. This is version {version}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.extlinks",
    "sphinx.ext.intersphinx",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
root_doc = "index"
exclude_patterns = ["site", "img"]

# pages: Markdown; their code and that of notebooks has run before, see executed.py
nb_execution_mode = "off"
nb_custom_formats = {".md": "content.for_site"}
nb_output_stderr = "remove"
myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 4
html_math_renderer = "mathml"  # browsers draw it without a library
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
pygments_style = "friendly"

extlinks = {"doi": ("https://doi.org/%s", "doi %s")}
bibtex_bibfiles = ["../references.bib", "../../paper.bib"]
bibtex_default_style = "plain"

# reference
add_module_names = False
autodoc_default_options = {"members": True, "member-order": "bysource", "exclude-members": "si, of"}
autodoc_preserve_defaults = True
_ALIASES = (
    "Axes", "DataFrame", "Progress", "Quantity", "Signal", "SpikeSource", "Time", "Values", "Voltage",
)  # fmt: skip
autodoc_type_aliases = {name: name for name in _ALIASES}
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 85
python_use_unqualified_type_names = True
# Links to names of other packages need lists from their sites: other projects' files that grow old, so they are not kept here,
# and a build fetches them only if it is told that there is a network.
intersphinx_mapping = {
    "python": ("https://docs.python.org/3/", None),
    "numpy": ("https://numpy.org/doc/stable/", None),
    "pandas": ("https://pandas.pydata.org/docs/", None),
    "brian2": ("https://brian2.readthedocs.io/en/stable/", None),
    "neo": ("https://neo.readthedocs.io/en/latest/", None),
    "elephant": ("https://elephant.readthedocs.io/en/latest/", None),
}
if not os.environ.get("INTERSPHINX"):
    intersphinx_mapping = {}

html_theme = "pydata_sphinx_theme"
html_title = f"nsnn_neuro {version}"
html_logo = html_favicon = str(ROOT / "docs" / "img" / "logo.svg")
html_static_path = ["static"]
html_css_files = ["site.css"]
html_search_scorer = str(ROOT / "docs" / "site" / "static" / "scorer.js")
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "logo": {"text": "nsnn_neuro", "alt_text": "Home"},
    "header_links_before_dropdown": 7,
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {"**": ["sidebar-nav-bs"], "index": [], "getting_started": [], "plots": []}
html_context = {"default_mode": "auto"}
if content.repository():
    html_theme_options["icon_links"] = [
        {"name": "Repository", "url": content.repository(), "icon": "fa-solid fa-code-branch"}
    ]


def setup(app: object) -> None:
    """Connect the hooks of the site."""
    content.setup(app)
