"""The link with which a customer saves the card: an address around a signed token.

The object is written by the API beforehand, so the token holds two ids only and stays far below the 1,800
characters that Google advises for it.
"""

from datetime import datetime

from wallet.google.account import Account

SAVE = "https://pay.google.com/gp/v/save/"
TOKEN_AT_MOST = 1_800


def save_link(
    account: Account, object_id: str, class_id: str, now: datetime, origins: tuple[str, ...] = ()
) -> str:
    """`https://pay.google.com/gp/v/save/…`; RS256 with the account's key."""
    import jwt

    claims = {
        "iss": account.email,
        "aud": "google",
        "typ": "savetowallet",
        "iat": int(now.timestamp()),
        "origins": list(origins),
        "payload": {"loyaltyObjects": [{"id": object_id, "classId": class_id}]},
    }
    token = jwt.encode(claims, account.key, "RS256")
    if len(token) > TOKEN_AT_MOST:
        raise ValueError(
            f"the save link of {object_id} would have {len(token)} characters; shorten its ids or origins"
        )
    return f"{SAVE}{token}"
