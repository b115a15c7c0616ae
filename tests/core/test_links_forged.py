"""Links that somebody made up: whatever is changed in a good one, it is good for nothing."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.links import Links, Use

LINKS = Links("https://b.example", b"the newest of the secrets", (b"a secret of before that",))
BEFORE = Links("https://b.example", b"a secret of before that")
STRANGER = Links("https://b.example", b"a secret that is nobody's")
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ODD = [*ALPHABET, "=", "%", ".", " ", "+", "/", "\0", "я", "\ud800", "😀"]
NUMBERS = st.integers(0, 2**39)
URLS = st.sampled_from(
    ["https://k.example", "http://k.example/a?b=c#d", "https://k.example/меню", "https://k/😀"]
)
USES: dict[str, tuple[Use, str]] = {
    "unsubscribe": ("u", "email"), "preferences": ("p", ""), "card": ("c", ""), "confirmation": ("d", "5f1c"),
    "bounce": ("b", ""), "letter": ("l", ""), "open": ("o", ""), "telegram": ("t", ""),
}  # fmt: skip


def token_of(url: str) -> str:
    return url.rpartition("/")[2].removesuffix(".gif")


def drawn(kind: str, links: Links = LINKS) -> st.SearchStrategy[str]:
    """Good tokens of one kind."""
    if kind == "redirect":
        return st.builds(lambda number, url: token_of(links.redirect(number, url)), NUMBERS, URLS)
    if kind == "short":
        return st.builds(
            lambda number, link: token_of(links.short(number, link)), NUMBERS, st.integers(0, 2**31)
        )
    use, bound_to = USES[kind]
    return NUMBERS.map(lambda number: links._token(use, number, bound_to))


def reading(use: Use, bound_to: str) -> Callable[[str], Any]:
    return lambda token: LINKS.read(use, token, bound_to)


# Everything that reads a token.
READERS: dict[str, Callable[[str], Any]] = {kind: reading(*use) for kind, use in USES.items()}
READERS |= {"redirect": LINKS.read_redirect, "short": LINKS.read_short}


@st.composite
def changed(draw: st.DrawFn, kind: str) -> tuple[str, str]:
    """A good token, and what was made of it."""
    good = draw(drawn(kind))
    place = draw(st.integers(0, len(good) - 1))
    odd = draw(st.sampled_from(ODD))
    bad = draw(
        st.sampled_from([
            good[:place] + odd + good[place + 1 :], good[:place] + odd + good[place:], good[:place],
            good[:place] + good[place + 1 :], good + odd, odd + good, good + good, good[::-1],
            good.swapcase(), good[place:] + good[:place], draw(st.text(max_size=40)),
            draw(drawn(kind, STRANGER)), good[:place] + draw(drawn(kind))[place:], good + "==",
        ])
    )  # fmt: skip
    return good, bad


@pytest.mark.parametrize("kind", READERS)
def test_nothing_that_is_changed_in_a_good_link_is_taken_for_good(kind: str) -> None:
    read = READERS[kind]

    @settings(max_examples=150, deadline=None)
    @given(changed(kind))
    def some(tokens: tuple[str, str]) -> None:
        good, bad = tokens
        assert read(good) is not None
        # Half of another good one may be all of it.
        assert bad == good or read(bad) is None or is_ours(kind, bad)

    some()


def is_ours(kind: str, token: str) -> bool:
    """Whether we would write this very token, for what it says."""
    said = READERS[kind](token)
    if kind == "redirect":
        return any(token == token_of(it.redirect(*said)) for it in (LINKS, BEFORE))
    if kind == "short":
        return any(token == token_of(it.short(*said)) for it in (LINKS, BEFORE))
    use, bound_to = USES[kind]
    return any(token == it._token(use, said, bound_to) for it in (LINKS, BEFORE))


@pytest.mark.parametrize("kind", READERS)
def test_a_link_for_one_thing_is_good_for_nothing_else(kind: str) -> None:
    @settings(max_examples=30, deadline=None)
    @given(drawn(kind), drawn(kind, BEFORE))
    def some(token: str, older: str) -> None:
        for each in (token, older):
            assert [other for other, read in READERS.items() if read(each) is not None] == [kind]
        if kind == "unsubscribe":
            assert all(LINKS.read("u", token, other) is None for other in ("sms", "", "Email", "email:"))

    some()
