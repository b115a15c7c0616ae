"""The example with double opt-in, a purpose beside marketing, and data that customers handle."""

from functools import cache

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from core.program.check import FILE
from tests.api.shop import EXAMPLE

# Stands in the example as `false`.
ASKED = b"double_opt_in: false"
ASKING = """\
double_opt_in: true
  purposes:
    surveys: {uk: Опитування, en: Surveys}
privacy: {self_service: [export, erase]}
"""


@cache
def asking() -> Running:
    """Checked and compiled once."""
    files = dict(Bundle.read(EXAMPLE).files)
    assert ASKED in files[FILE]
    files[FILE] = files[FILE].replace(ASKED, ASKING.encode())
    return make_ready(Bundle(files), 1)
