"""The link with which a customer saves the card: an address around a signed token.

The object is written by the API beforehand, so the token holds two ids only and stays far below the 1,800
characters that Google advises for it. What is the same in every token of an account is laid out once.
"""

from base64 import urlsafe_b64encode
from datetime import datetime
from functools import lru_cache

import orjson

from wallet import rs256
from wallet.google.account import Account

SAVE = "https://pay.google.com/gp/v/save/"
TOKEN_AT_MOST = 1_800


def save_link(
    account: Account, object_id: str, class_id: str, now: datetime, origins: tuple[str, ...] = ()
) -> str:
    """`https://pay.google.com/gp/v/save/…`; RS256 with the account's key (RFC 7515, 7518).

    ValueError if ids or origins make it too long.
    """
    saved = orjson.dumps({"id": object_id, "classId": class_id})
    claims = _beginning(account.email, origins), int(now.timestamp()), saved
    signed = _HEADER + _base64(b'%b"iat":%d,"payload":{"loyaltyObjects":[%b]}}' % claims)
    token = signed + b"." + _base64(rs256.sign(account.key, signed))
    if len(token) > TOKEN_AT_MOST:
        raise ValueError(
            f"the save link of {object_id} would have {len(token)} characters; shorten its ids or origins"
        )
    return SAVE + token.decode("ascii")


def _base64(data: bytes) -> bytes:
    return urlsafe_b64encode(data).rstrip(b"=")


_HEADER = _base64(b'{"alg":"RS256","typ":"JWT"}') + b"."


@lru_cache(maxsize=16)
def _beginning(email: str, origins: tuple[str, ...]) -> bytes:
    """The claims that never change, still open."""
    claims = {"iss": email, "aud": "google", "typ": "savetowallet", "origins": origins}
    return orjson.dumps(claims)[:-1] + b","
