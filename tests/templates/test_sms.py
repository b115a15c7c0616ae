"""An SMS is counted as the networks count it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


# 3GPP TS 23.038, 6.2.1: the default alphabet in the order of its table, and 6.2.1.1: its extension.
DEFAULT = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]",
             0x40: "|", 0x65: "€"}  # fmt: skip
assert len(DEFAULT) == 128
SEPTETS = {letter: bytes([place]) for place, letter in enumerate(DEFAULT) if letter != "\x1b"}
SEPTETS |= {letter: bytes([0x1B, place]) for place, letter in EXTENSION.items()}


def fewest_pieces(characters: list[bytes], room: int) -> int:
    """Over all ways to cut between characters."""
    fewest = [0] + [len(characters)] * len(characters)
    for end in range(1, len(characters) + 1):
        start = end
        while start and len(b"".join(characters[start - 1 : end])) <= room:
            start -= 1
            fewest[end] = min(fewest[end], fewest[start] + 1)
    return fewest[-1]


def slowly_counted(text: str) -> int:
    if all(letter in SEPTETS for letter in text):
        characters, single, each = [SEPTETS[letter] for letter in text], 160, 153
    else:
        characters, single, each = [letter.encode("utf-16-be") for letter in text], 140, 134
    return 1 if len(b"".join(characters)) <= single else fewest_pieces(characters, each)


SHARES = st.lists(st.tuples(st.sampled_from("aé€[я😀ç\u00a0"), st.integers(1, 90)), max_size=6)


@settings(max_examples=50)
@given(SHARES)
def test_segments_are_the_fewest_pieces_into_which_the_encoded_characters_go(
    shares: list[tuple[str, int]],
) -> None:
    text = "".join(letter * times for letter, times in shares)
    assert segments(text).count == slowly_counted(text)


def test_every_character_of_the_alphabet_is_counted_as_it_is_encoded() -> None:
    for letter in {*DEFAULT, *EXTENSION.values(), *"\x1b`ЯçÁ\t"}:
        alone = segments(letter)
        if letter in SEPTETS:
            assert (alone.encoding, alone.units) == ("GSM-7", len(SEPTETS[letter])), letter
        else:
            assert alone.encoding == "UCS-2", letter


def test_typography_does_not_make_an_english_sms_unicode() -> None:
    text = economical("“5\u00a0bonuses” – that’s yours…")
    assert text == '"5 bonuses" - that\'s yours...'
    assert segments(text).encoding == "GSM-7"


@pytest.mark.parametrize("unseen", ["\u200b", "\ufeff", "\u202a", "\u00ad", "\x92"])
def test_what_is_pasted_unseen_along_with_a_name_does_not_make_an_sms_unicode(unseen: str) -> None:
    assert economical(f"Anna{unseen}’s bonuses:\n5") == "Anna's bonuses:\n5"
    kept = f"👩{unseen}Олена"
    assert economical(kept) == kept


def test_typography_stays_where_it_costs_nothing() -> None:
    assert economical("«5\u00a0бонусів» – ваші…\n") == "«5 бонусів» – ваші…"
