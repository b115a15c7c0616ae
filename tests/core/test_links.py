"""Links: signed, good for one use only, and for ever, whatever became of the key."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from core.links import NUMBER_BYTES, TAG_BYTES, Links, Use

OLD, OLDER, NEW = (f"a key of the tests, {it}".encode() for it in ("old", "older", "new"))
URL = "https://kavarnia.example"
LINKS = Links(URL, OLD)
NUMBERS = st.integers(0, 2 ** (8 * NUMBER_BYTES) - 1)
USES: tuple[Use, ...] = ("u", "p", "c", "d", "b", "o", "t")
CHANNELS = st.sampled_from(["", "email", "sms", "e", "email:"])


def token_of(links: Links, use: Use, number: int, bound_to: str = "") -> str:
    return links._token(use, number, bound_to)


@given(NUMBERS, st.sampled_from(USES), st.sampled_from(USES), CHANNELS, CHANNELS)
def test_a_token_is_good_for_its_use_and_channel_alone(
    number: int, use: Use, other: Use, channel: str, elsewhere: str
) -> None:
    token = token_of(LINKS, use, number, channel)
    assert LINKS.read(use, token, channel) == number
    if (use, channel) != (other, elsewhere):
        assert LINKS.read(other, token, elsewhere) is None


@given(NUMBERS, st.data())
def test_no_other_spelling_of_a_token_is_taken(number: int, data: st.DataObject) -> None:
    token = token_of(LINKS, "p", number)
    at = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.characters())
    changed = data.draw(st.sampled_from([
        token[:at] + letter + token[at + 1 :], token[:at] + letter + token[at:], token[:at], token + letter,
        token + "=", token.swapcase(),
    ]))  # fmt: skip
    assert (LINKS.read("p", changed) is None) == (changed != token)


@given(st.binary(max_size=40))
def test_bytes_that_nobody_signed_are_no_token(raw: bytes) -> None:
    token = base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
    assert all(LINKS.read(use, token) is None for use in USES)


@given(st.text(max_size=40))
def test_any_text_is_read_without_a_fault(text: str) -> None:
    assert LINKS.read("u", text, "email") is None
    assert LINKS.read("u", token_of(LINKS, "u", 7, "email"), text) is None or text == "email"


@given(NUMBERS)
def test_links_stay_good_after_the_key_was_changed_twice(number: int) -> None:
    now = Links(URL, NEW, (OLD, OLDER))
    for key in (OLDER, OLD, NEW):
        assert now.read("p", token_of(Links(URL, key), "p", number)) == number
    made = token_of(now, "p", number)
    assert Links(URL, NEW).read("p", made) == number
    assert LINKS.read("p", made) is None
    assert now.read("p", token_of(Links(URL, b"a key that was taken out"), "p", number)) is None


def test_links_fit_a_list_unsubscribe_header_and_hide_their_keys() -> None:
    link = LINKS.unsubscribe(2**40, "email")
    assert len(link) < 77
    assert "key of the tests" not in repr(Links(URL, NEW, (OLD,)))
    assert len(base64.urlsafe_b64decode(token_of(LINKS, "p", 1) + "===")) == 1 + TAG_BYTES


@given(st.integers(0, 2**36 - 1))
def test_the_cards_short_link_is_letters_and_digits_that_only_we_can_make(number: int) -> None:
    token = LINKS.card_short(number).rpartition("/")[2]
    assert token.isascii()
    assert token.isalnum()
    assert len(token) == (12 if number < 2**24 else 14)
    assert Links(URL, NEW, (OLD,)).read_card_short(token) == number
    assert Links(URL, NEW).read_card_short(token) is None
    assert LINKS.read_card_short(token[:-1] + ("A" if token[-1] != "A" else "B")) is None


@given(st.text(max_size=16))
def test_nothing_else_leads_to_a_card(text: str) -> None:
    assert LINKS.read_card_short(text) is None
