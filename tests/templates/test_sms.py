"""An SMS is counted as the networks count it."""

import pytest

from templates.sms import Segments, economical, segments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Segments("GSM-7", 1, 0)),
        ("a" * 160, Segments("GSM-7", 1, 160)),
        ("a" * 161, Segments("GSM-7", 2, 161)),
        ("a" * 306, Segments("GSM-7", 2, 306)),
        ("a" * 307, Segments("GSM-7", 3, 307)),
        ("€" * 80, Segments("GSM-7", 1, 160)),
        ("€" * 81, Segments("GSM-7", 2, 162)),
        # An escape pair does not straddle: 152 + € leaves one septet of the first segment empty.
        ("a" * 152 + "€" + "a" * 152, Segments("GSM-7", 3, 306)),
        ("я" * 70, Segments("UCS-2", 1, 70)),
        ("я" * 71, Segments("UCS-2", 2, 71)),
        ("я" * 134, Segments("UCS-2", 2, 134)),
        ("я" * 135, Segments("UCS-2", 3, 135)),
        ("😀" * 35, Segments("UCS-2", 1, 70)),
        # A surrogate pair does not straddle either.
        ("я" * 66 + "😀" + "я" * 66, Segments("UCS-2", 3, 134)),
        ("a" * 69 + "\u00a0", Segments("UCS-2", 1, 70)),
        ("é" * 160, Segments("GSM-7", 1, 160)),
        ("ç" * 71, Segments("UCS-2", 2, 71)),
    ],
)
def test_segments_follow_3gpp(text: str, expected: Segments) -> None:
    assert segments(text) == expected


def test_typography_does_not_make_an_english_sms_unicode() -> None:
    text = economical("“5\u00a0bonuses” – that’s yours…")
    assert text == '"5 bonuses" - that\'s yours...'
    assert segments(text).encoding == "GSM-7"


def test_typography_stays_where_it_costs_nothing() -> None:
    assert economical("«5\u00a0бонусів» – ваші…\n") == "«5 бонусів» – ваші…"
