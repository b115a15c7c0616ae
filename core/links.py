"""Links that a customer may follow: signed, short, never expiring, good after the key was changed."""

import base64
import binascii
import hmac
import re
import string
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from typing import Literal

Use = Literal["u", "p", "c", "k", "d", "b", "l", "o", "r", "t", "h"]
"""What a link is for: `u` unsubscribes, `p` shows the preferences, `c` the card, `k` the card in fewer
characters, `d` confirms what a letter asked, `b` takes bounces of messages back and `l` those of letters, `o`
and `r` tell of opens and clicks, `t` joins a messenger, `h` is short for another link."""

_DIRECT = frozenset("updorht")
_BOT = re.compile(r"https://t\.me/\w+\?start=([\w-]+)", re.ASCII)

# What stands for the token in the links of a proof: nobody's, and the pages say so.
PROOF = "proof"

TAG_BYTES = 12
NUMBER_BYTES = 8
# A short link of 15 bytes is 20 characters. Its tag keeps strangers from inventing clicks; where it leads is
# kept by us, so that a forged one could lead only to what some message links to.
SHORT_MESSAGE_BYTES, SHORT_LINK_BYTES, SHORT_TAG_BYTES = 5, 4, 6
SHORT_CHARACTERS = 20
# The card in an SMS: 12 letters and digits for the first 16 million customers, 14 for 68 billion. A guess is
# right once in 2**47, however many customers there are: each has one tag. Phones end a link in a text before
# a hyphen that a space follows, so there is none.
CARD_TAG_BITS = 47
CARD_CHARACTERS = ((12, 1 << 24), (14, 1 << 36))
_ALNUM = string.digits + string.ascii_uppercase + string.ascii_lowercase


@dataclass(frozen=True, slots=True)
class Links:
    """Makes and reads links below `public_url`.

    A token is base64url of a number and a 96-bit HMAC-SHA-256 over it, the use and what else the link is
    bound to (a channel): a link for one use cannot be turned into one for another. Links stay under the
    77 characters at which Python's mail library would mangle a `List-Unsubscribe` header.

    `secret` signs; what one of the `earlier` keys signed is read as well, so that a key can be changed and
    the links in letters of long ago stay good.
    """

    public_url: str
    secret: bytes = field(repr=False)
    earlier: tuple[bytes, ...] = field(default=(), repr=False)

    def unsubscribe(self, customer_id: int, channel: str) -> str:
        """One-click unsubscription from a channel's marketing (RFC 8058)."""
        return f"{self.public_url}/u/{channel}/{self._token('u', customer_id, channel)}"

    def preferences(self, customer_id: int) -> str:
        """The customer's own choices."""
        return f"{self.public_url}/p/{self._token('p', customer_id)}"

    def card(self, customer_id: int) -> str:
        """The page with the wallet card."""
        return f"{self.public_url}/c/{self._token('c', customer_id)}"

    def card_short(self, customer_id: int) -> str:
        """Leads to the page with the card, in a third fewer characters: for an SMS, for a code to scan."""
        return f"{self.public_url}/k/{_card_token(self.secret, customer_id)}"

    def confirmation(self, letter_id: int, digest: str) -> str:
        """The page on which a customer confirms what a letter asked; `digest` is that of its address.

        A letter that is gone may leave its number to another one (SQLite after an erasure, any database after
        a restore): its link is good for that address alone.
        """
        return f"{self.public_url}/d/{self._token('d', letter_id, digest)}"

    def letter_of(self, token: str) -> int | None:
        """The letter that a token of `confirmation` names, forged or not: `confirms` tells."""
        return _number(_decoded(token))

    def confirms(self, token: str, digest: str) -> bool:
        """Whether a token of `confirmation` was made for a letter to this address."""
        return self.read("d", token, digest) is not None

    def opened(self, message_id: int) -> str:
        """The picture that tells of an opened message."""
        return f"{self.public_url}/o/{self._token('o', message_id)}.gif"

    def redirect(self, message_id: int, url: str) -> str:
        """Leads to `url` by way of us. It carries where it leads, so it needs no database and outlives it."""
        number = _packed(message_id)
        body = bytes((len(number),)) + number + url.encode()
        return f"{self.public_url}/r/{_encoded(_tag(self.secret, 'r', body, '') + body)}"

    def short(self, message_id: int, link_id: int) -> str:
        """Leads to a link that is kept under `link_id`; all of them are equally long (`SHORT_CHARACTERS`)."""
        body = message_id.to_bytes(SHORT_MESSAGE_BYTES, "big") + link_id.to_bytes(SHORT_LINK_BYTES, "big")
        return f"{self.public_url}/h/{_encoded(body + _tag(self.secret, 'h', body, '')[:SHORT_TAG_BYTES])}"

    def bounce(self, message_id: int, address: str) -> str:
        """Names a message in the address to which it comes back: hexadecimal, since mail changes the case.

        Good for the address alone that the message went to: after a restore its number comes to another one.
        """
        return self._in_hexadecimal("b", message_id, address.lower())

    def read_bounce(self, token: str, address: str = "") -> int | None:
        """The message to this address that a token of `bounce` names, in whatever case; None for any other.

        Without an address: that of a token as they were signed once, bound to none.
        """
        return self._from_hexadecimal("b", token, address.lower())

    def letter_bounce(self, letter_id: int, digest: str) -> str:
        """Names a letter as `bounce` names a message; `digest` is that of its address."""
        return self._in_hexadecimal("l", letter_id, digest)

    def read_letter_bounce(self, token: str, digest: str = "") -> int | None:
        """The letter that a token of `letter_bounce` names; None for any other. As `read_bounce`."""
        return self._from_hexadecimal("l", token, digest)

    def returned_of(self, token: str) -> int | None:
        """The message or letter that such a token names, forged or not: `read_bounce` tells."""
        return _number(_unhexed(token))

    def telegram(self, bot: str, customer_id: int, before: int) -> str:
        """Opens a bot so that the chat is joined to the customer.

        `before` (16 bits) stands for the chat joined last: once another was joined, the link is used up.
        """
        return f"https://t.me/{bot}?start={self._token('t', customer_id << 16 | before)}"

    def read_telegram(self, token: str) -> tuple[int, int] | None:
        """The customer of a token of `telegram`, and what it holds of the chat joined before."""
        number = self.read("t", token)
        return None if number is None else (number >> 16, number & 0xFFFF)

    def is_direct(self, url: str) -> bool:
        """Whether a link must lead straight to where it leads, and is not counted.

        So do those of the customer's choices, those that lead by way of us already, and that which opens the
        bot: a phone gives it to its application only while it is Telegram's own.
        """
        before, _, own = url.partition(f"{self.public_url}/")
        if not before and own[:1] in _DIRECT and own[1:2] == "/":
            return True
        bot = _BOT.fullmatch(url)
        return bot is not None and self.read_telegram(bot[1]) is not None

    def sample(self) -> str:
        """As long as any short link, and leads nowhere."""
        return f"{self.public_url}/h/{'x' * SHORT_CHARACTERS}"

    def read(self, use: Use, token: str, bound_to: str = "") -> int | None:
        """The number that a token names; None for a forged or malformed one.

        Every key is tried, each in constant time: how long it takes tells neither where a forgery fails nor
        which key signed.
        """
        raw = _decoded(token)
        number, tag = raw[:-TAG_BYTES], raw[-TAG_BYTES:]
        if not 1 <= len(number) <= NUMBER_BYTES:
            return None
        return int.from_bytes(number, "big") if self._signed(tag, use, number, bound_to) else None

    def read_redirect(self, token: str) -> tuple[int, str] | None:
        """The message and the address that a token of `redirect` carries; None for any other."""
        raw = _decoded(token)
        tag, body = raw[:TAG_BYTES], raw[TAG_BYTES:]
        if not body or not self._signed(tag, "r", body):
            return None
        end = 1 + body[0]
        return int.from_bytes(body[1:end], "big"), body[end:].decode()

    def read_short(self, token: str) -> tuple[int, int] | None:
        """The message and the number of the link that a token of `short` names; None for any other."""
        raw = _decoded(token)
        body, tag = raw[:-SHORT_TAG_BYTES], raw[-SHORT_TAG_BYTES:]
        if len(body) != SHORT_MESSAGE_BYTES + SHORT_LINK_BYTES:
            return None
        if not self._signed(tag, "h", body, size=SHORT_TAG_BYTES):
            return None
        message, link = body[:SHORT_MESSAGE_BYTES], body[SHORT_MESSAGE_BYTES:]
        return int.from_bytes(message, "big"), int.from_bytes(link, "big")

    def read_card_short(self, token: str) -> int | None:
        """The customer whom a token of `card_short` names; None for any other."""
        if not set(token) <= set(_ALNUM) or len(token) > CARD_CHARACTERS[-1][0]:
            return None
        number = reduce(lambda found, letter: found * len(_ALNUM) + _ALNUM.index(letter), token, 0)
        number >>= CARD_TAG_BITS
        if number >= CARD_CHARACTERS[-1][1]:
            return None
        right = [hmac.compare_digest(token, _card_token(key, number)) for key in (self.secret, *self.earlier)]
        return number if any(right) else None

    def _in_hexadecimal(self, use: Use, number: int, bound_to: str) -> str:
        body = _packed(number)
        return (body + _tag(self.secret, use, body, bound_to)).hex()

    def _from_hexadecimal(self, use: Use, token: str, bound_to: str) -> int | None:
        return self.read(use, _encoded(_unhexed(token)), bound_to)

    def _signed(self, tag: bytes, use: Use, body: bytes, bound_to: str = "", size: int = TAG_BYTES) -> bool:
        keys = (self.secret, *self.earlier)
        right = [hmac.compare_digest(tag, _tag(key, use, body, bound_to)[:size]) for key in keys]
        return any(right)

    def _token(self, use: Use, number: int, bound_to: str = "") -> str:
        """`number` is what the link names, below 2**64; `bound_to` what it is good for alone."""
        body = _packed(number)
        return _encoded(body + _tag(self.secret, use, body, bound_to))


def _number(raw: bytes) -> int | None:
    """The number before a tag, if a database could have given it."""
    number = int.from_bytes(raw[:-TAG_BYTES], "big")
    return number if 0 < number < 1 << (8 * NUMBER_BYTES - 1) else None


def _packed(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8 or 1, "big")


def _card_token(key: bytes, number: int) -> str:
    tag = int.from_bytes(_tag(key, "k", _packed(number), "")) >> (8 * TAG_BYTES - CARD_TAG_BITS)
    value, letters = number << CARD_TAG_BITS | tag, ""
    for _ in range(next(length for length, below in CARD_CHARACTERS if number < below)):
        value, digit = divmod(value, len(_ALNUM))
        letters = _ALNUM[digit] + letters
    return letters


def _tag(key: bytes, use: Use, number: bytes, bound_to: str) -> bytes:
    signed = f"{use}:{bound_to}:".encode("utf-8", "surrogatepass") + number
    keyed = _keyed(key).copy()
    keyed.update(signed)
    return keyed.digest()[:TAG_BYTES]


@lru_cache(maxsize=32)
def _keyed(key: bytes) -> hmac.HMAC:
    # A message has many links: to set up the key costs more than to sign.
    return hmac.new(key, digestmod="sha256")


def _encoded(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _unhexed(token: str) -> bytes:
    """What a token in hexadecimal holds, in whatever case; nothing for any other spelling."""
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return b""
    return raw if raw.hex() == token.lower() else b""


def _decoded(token: str) -> bytes:
    """What a token holds; nothing for any spelling but the one that we write."""
    try:
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if _encoded(raw) == token else b""
