"""Results as one page that needs nothing else: for whoever was not at the terminal."""

from tidings.report_page.drawing import page

__all__ = ["page"]
