"""The pages of docs/reference as the code makes them, made once for all tests that read them."""

from functools import cache

from tidings.reference import pages

made = cache(pages)
