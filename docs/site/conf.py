"""Sphinx's settings: python docs/site/build.py"""

import html
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "client" / "src")]

project, author = "LARNN", ""
root_doc = "README"
html_title = "LARNN"
html_favicon = "../../service/larnn_service/web/icon.svg"
suppress_warnings = ["misc.highlighting_failure"]  # blocks that show a line of HTTP, or a table
html_theme = "furo"
html_baseurl = ""
html_show_copyright = html_show_sourcelink = html_show_sphinx = False
html_copy_source = False
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_copybutton",
    "sphinxcontrib.openapi",
]
myst_heading_anchors = 6
myst_fence_as_directive = ["mermaid"]
myst_links_external_new_tab = False
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_maximum_signature_line_length = 80
html_js_files = ["mermaid.js"]  # it draws all of the class `mermaid` once a page is there
html_extra_path = ["../../build/site/extra"]  # pictures that pages have in HTML
html_static_path = ["../../build/site/source/assets"]

PARTS = {
    "Start": ("docs/README", "docs/quick-start", "docs/packages", "docs/page"),
    "Concepts": (
        "docs/architecture",
        "docs/memories",
        "docs/where-it-wins",
        "docs/tiles",
        "docs/glossary",
    ),
    "How to": (
        "docs/client",
        "docs/javascript",
        "docs/score",
        "docs/bridge",
        "docs/capture",
        "docs/novelty",
        "docs/own-data",
        "docs/import",
        "docs/own-network",
        "docs/remaining-life",
        "docs/policy",
        "docs/new-family",
        "docs/training",
    ),
    "Reference": (
        "docs/protocol",
        "docs/open-inference",
        "reference/http",
        "reference/python",
        "reference/client",
        "reference/edge",
    ),
    "Operations": (
        "docs/deployment",
        "docs/kubernetes",
        "docs/operations",
        "docs/performance",
        "docs/reliability",
        "docs/attacks",
        "SECURITY",
    ),
    "Models": ("models/*/*/README",),
    "Project": (
        "CONTRIBUTING",
        "CHANGELOG",
        "docs/house",
        "THIRD_PARTY",
        "docs/decisions/README",
        "examples/README",
        "kernels/README",
    ),
}
"""What stands at the side of each page."""


class Mermaid(Directive):
    """A diagram, drawn in the reader's browser."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Its text, where the script looks for it."""
        text = html.escape("\n".join(self.content))
        return [nodes.raw("", f'<pre class="mermaid">\n{text}\n</pre>', format="html")]


def contents(_: Any, name: str, source: list[str]) -> None:
    """The README, which is the first page, leads to all others."""
    if name == root_doc:
        for part, pages in PARTS.items():
            listed = "\n".join(pages)
            source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {part}\n:glob:\n\n{listed}\n```\n"
    if name == "docs/decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n[0-9]*\n```\n"


def setup(app: Any) -> None:
    """Sphinx calls it."""
    app.add_directive("mermaid", Mermaid)
    app.connect("source-read", contents)
