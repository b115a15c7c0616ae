"""What the tests of templates share."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from templates.library import Library

POINT_NAMES = {
    "uk": ["бонус", "бонуси", "бонусів", "бонуса"],
    "ru": ["бонус", "бонуса", "бонусов", "бонуса"],
    "en": ["bonus", "bonuses"],
}

Context = dict[str, Any]


class MakeLibrary(Protocol):
    """Makes a library of the given files: path below messages/ to text."""

    def __call__(self, files: Mapping[str, str], locales: Sequence[str] = ("uk", "en", "ru")) -> Library: ...
