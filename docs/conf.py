"""Build these pages with: pip install -c constraints.txt -e ".[docs]" && sphinx-build -W docs site"""

import skrnn

project = "skrnn"
author = "skrnn developers"
release = skrnn.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc"]
autodoc_typehints = "none"
numpydoc_show_class_members = False
suppress_warnings = ["myst.xref_missing"]  # the pages also link to files of the repository
