"""Pages of ours that are filled in by Jinja2: one environment for each folder of them.

What pages in one file look like alike stands in page_style/.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache
def _environment(package: str, folder: str) -> Environment:
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, folder), PackageLoader("tidings", "page_style")]),
        autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True, auto_reload=False,
    )  # fmt: skip


def templates(package: str, folder: str, filters: Mapping[str, Any] | None = None) -> Environment:
    """The templates of a package's folder: everything escaped, an unknown name is an error."""
    found = _environment(package, folder)
    found.filters.update(filters or {})
    return found
