"""Audits as a page in one file, which opens offline: ``pip install 'pytest-reprotest[report]'``."""

from pytest_reprotest.report.html.output import write_html, write_page
from pytest_reprotest.report.html.page import page

__all__ = ["page", "write_html", "write_page"]
