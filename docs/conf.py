"""The documentation site: `make docs`. Nothing is fetched, by the build or by a page."""

import os
import sys
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

from alkbayes import __version__

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_extensions"))

# What the notebooks run: this environment's `alkbayes`, at the width of a page, as plain text.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ |= {"NO_COLOR": "1", "COLUMNS": "88", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}

# A profile of its own: nothing of the user's, and no warning that a kernel on this machine is not encrypted.
profile = HERE.parent / "build" / "ipython" / "profile_default"
profile.mkdir(parents=True, exist_ok=True)
(profile / "ipython_kernel_config.py").write_text("get_config().IPKernelApp.log_level = 40\n", encoding="utf-8")
os.environ["IPYTHONDIR"] = str(profile.parent)

project = "alkbayes"
author = "the alkbayes authors"
release = version = __version__
html_title = f"alkbayes {version}"

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "mathml",
]
exclude_patterns = ["_extensions"]
nitpicky = True  # a reference that leads nowhere is a fault, also one in a docstring

myst_enable_extensions = ["deflist", "dollarmath", "fieldlist"]
myst_heading_anchors = 4

nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_raise_on_error = True
nb_execution_timeout = 300  # seconds a cell; a busy machine needs many times what an idle one does
nb_merge_streams = True

autodoc_typehints = "none"  # numpydoc has them
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False

html_math_renderer = "mathml"
html_theme = "pydata_sphinx_theme"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_sidebars = {"index": [], "glossary": []}
html_theme_options = {
    "logo": {"text": "alkbayes"},
    "navbar_align": "left",
    "header_links_before_dropdown": 8,
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
project_copyright = "the alkbayes authors, MIT licence"


def setup(app: Sphinx) -> None:
    """Show tables in CSV as they are."""
    app.add_lexer("csv", TextLexer)
