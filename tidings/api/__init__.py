"""The REST API for tills and shops, the pages that customers open, and what providers call back."""

from tidings.api.app import create_app
from tidings.api.services import Services

__all__ = ["Services", "create_app"]
