"""Configuration of the documentation."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / '_ext'))

from aiida_foundry import __version__

project = 'aiida-foundry'
author = 'The aiida-foundry developers'
project_copyright = author
version = release = __version__

extensions = ['myst_parser', 'sphinx_click', 'sphinx_design', 'processes']
myst_enable_extensions = ['colon_fence', 'deflist', 'dollarmath']
myst_heading_anchors = 3

html_theme = 'sphinx_book_theme'
html_static_path = ['_static']
html_title = 'aiida-foundry'
html_theme_options = {'show_toc_level': 2, 'use_download_button': False}
