"""A dry run as one page that needs nothing else: pictures of the funnel, the hours, the messages."""

from tidings.forecast_page.drawing import page

__all__ = ["page"]
