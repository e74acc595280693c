"""Configuration of the documentation: `python -m sphinx -W docs docs/_build`, without a network."""

import shutil
import sys
from pathlib import Path

from docutils.parsers.rst.states import Inliner

from ibjax import __version__

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT))  # the experiments, which are not installed

# Sphinx reads its own folder alone; the tutorials are the notebooks with their stored outputs.
shutil.copytree(
    ROOT / "notebooks",
    HERE / "notebooks",
    ignore=shutil.ignore_patterns(".*"),
    dirs_exist_ok=True,
)

project = "ibjax"
author = "The ibjax authors"
project_copyright = "the ibjax authors"
version = release = __version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
exclude_patterns = ["_build", "_snippets", "jupyter_execute"]
smartquotes_action = "qe"  # two dashes begin an option

html_theme = "furo"
html_title = f"ibjax {version}"

# Text and notebooks
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "off"
nb_merge_streams = True

# Docstrings. Shapes and units are in the text, where annotations would repeat them less readably.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autosummary_generate = False  # tables only: every topic is one page
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_attr_annotations = False
napoleon_custom_sections = [
    "Bias",
    "Exactness",
    "Cost",
    "Accuracy",
    "Memory",
    "Source",
    "Singular covariances",
    "Differences to the original code",
]

# |x| is a size in our docstrings, which make no substitutions.
Inliner.dispatch["|"] = lambda _, match, line: (
    match.string[: match.end("start")],
    [],
    match.string[match.end("start") :],
    [],
)

# References
bibtex_bibfiles = ["../references.bib"]
bibtex_default_style = "plain"
bibtex_reference_style = "author_year"
