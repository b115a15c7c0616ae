"""API keys: who may call the API, as what, from which stores, how often, and until when.

A key is 256 random bits behind a prefix that scanners for leaked secrets recognise. Only its SHA-256 is kept:
of so many random bits a slow hash would make no better secret, and every request would pay for it.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update
from sqlalchemy.exc import IntegrityError

from core.errors import UserError
from core.explain import suggest
from core.units import Rate
from tidings.tables import ApiKey

KEY = ApiKey.__table__  # type: ignore[attr-defined]
PREFIX = "tid_"
HINT = len(PREFIX) + 4
NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,63}")
DEFAULT_RATE = Rate(100, 1)
# Digits that no number of ours has.
LONGEST_NUMBER = 19

# What may be allowed; an endpoint names one of these.
SCOPES: Mapping[str, str] = {
    "customers:identify": "find one customer by card, phone, email or what a scanner reads",
    "customers:read": "profile, balance, lots and history of a customer",
    "customers:list": "page through all customers",
    "customers:write": "register and change customers and their addresses",
    "cards:read": "what is on a customer's wallet card, and which devices carry it",
    "cards:write": "issue, reissue and revoke wallet cards",
    "consents:write": "give and withdraw consents",
    "suppressions:read": "which customers' addresses are left alone, and why",
    "suppressions:write": "let a suppressed address be used again",
    "receipts:read": "look at receipts",
    "receipts:write": "record receipts",
    "returns:write": "return receipts",
    "checkout:write": "quote a cart, hold bonuses for it, commit and cancel",
    "acts:write": "tell of reviews, surveys and other acts that are granted bonuses",
    "codes:read": "look at promo codes",
    "codes:write": "make and disable promo codes",
    "events:read": "read the stream of what happened",
    "adjustments:write": "give and take bonuses by hand",
    "levels:write": "give levels by hand and take them back",
    "transfers:write": "move bonuses between customers",
    "households:write": "let customers share bonuses",
    "customers:merge": "merge two profiles of one person",
    "customers:erase": "erase a person",
    "customers:export": "everything that is kept about a person",
    "movement:read": "what became of all bonuses in a period, and what is outstanding",
    "settlement:read": "what partners owe each other",
    "metrics:read": "numbers of the service, for Prometheus",
}
ROLES: Mapping[str, Collection[str]] = {
    "till": (
        "customers:identify", "customers:read", "customers:write", "cards:read", "cards:write",
        "consents:write", "receipts:read", "receipts:write", "returns:write", "checkout:write",
    ),
    "marketer": (
        "customers:identify", "customers:read", "customers:list", "cards:read", "consents:write",
        "receipts:read", "acts:write", "codes:read", "codes:write", "events:read", "levels:write",
        "movement:read",
    ),
    "metrics": ("metrics:read",),
    "admin": tuple(SCOPES),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wanted:
    """A key to be made: a role, scopes beside it, the stores that it is bound to (none: all)."""

    name: str
    role: str | None = None
    scopes: Sequence[str] = ()
    stores: Sequence[str] = ()
    rate: Rate = DEFAULT_RATE
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key as it is kept."""

    id: int
    name: str
    hint: str
    role: str | None
    own_scopes: tuple[str, ...]
    stores: tuple[str, ...]
    rate: Rate
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None

    @property
    def scopes(self) -> frozenset[str]:
        """Everything that it may do."""
        return frozenset(ROLES.get(self.role or "", ())) | frozenset(self.own_scopes)

    def state(self, now: datetime) -> str:
        """`valid`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= now else "valid"


def digest_of(secret: str) -> str:
    """What is kept of a key."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same(one: str, other: str) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    return hmac.compare_digest(digest_of(one), digest_of(other))


def create(connection: Connection, wanted: Wanted, now: datetime) -> tuple[Key, str]:
    """Make a key, and return what must be said to use it: it is never to be had again.

    UserError in one sentence if the name is taken or no name, or a role or scope does not exist.
    """
    _check(wanted, now)
    secret = PREFIX + secrets.token_urlsafe(32)
    values = {
        "name": wanted.name, "hint": secret[:HINT], "digest": digest_of(secret), "role": wanted.role,
        "scopes": list(wanted.scopes), "stores": list(wanted.stores), "rate": str(wanted.rate),
        "created_at": now, "expires_at": wanted.expires_at,
    }  # fmt: skip
    try:
        with connection.begin_nested():
            connection.execute(KEY.insert().values(**values))
    except IntegrityError:
        raise UserError(
            f"there is a key '{wanted.name}' already; give another name, or revoke it: "
            f"tidings keys revoke {wanted.name}"
        ) from None
    return _found(connection, KEY.c.digest == digest_of(secret)), secret


def _check(wanted: Wanted, now: datetime) -> None:
    if not NAME.fullmatch(wanted.name):
        raise UserError(
            f"the name '{wanted.name}' does not do; write a letter, then letters, digits, dots or dashes, "
            "64 at most, for example till-1"
        )
    if wanted.role is not None and wanted.role not in ROLES:
        raise UserError(f"there is no role '{wanted.role}'; {suggest(wanted.role, ROLES)}")
    for scope in wanted.scopes:
        if scope not in SCOPES:
            raise UserError(f"there is no scope '{scope}'; {suggest(scope, SCOPES)}")
    if wanted.role is None and not wanted.scopes:
        raise UserError("a key without a role or a scope may do nothing; give --role or --scope")
    if wanted.expires_at is not None and wanted.expires_at <= now:
        raise UserError("the key would have expired before it was made; give a later day with --expires")


def all_keys(connection: Connection) -> list[Key]:
    """Every key there ever was, the newest last."""
    return [_key(row) for row in connection.execute(select(KEY).order_by(KEY.c.id))]


def revoke(connection: Connection, who: str, now: datetime) -> Key:
    """End a key by its name or number; UserError if there is none that is not revoked."""
    numbered = who.isascii() and who.isdigit() and len(who) < LONGEST_NUMBER
    by = KEY.c.id == int(who) if numbered else KEY.c.name == who
    live = connection.execute(select(KEY).where(by, KEY.c.revoked_at.is_(None))).first()
    if live is None:
        names = connection.scalars(select(KEY.c.name).where(KEY.c.revoked_at.is_(None))).all()
        hint = suggest(who, names) if names else "there are none"
        raise UserError(f"there is no key '{who}' to revoke; {hint}")
    connection.execute(update(KEY).where(KEY.c.id == live.id).values(revoked_at=now))
    return _found(connection, KEY.c.id == live.id)


def find(connection: Connection, secret: str, now: datetime) -> Key | None:
    """The key that this is; None if there is none, or no longer."""
    digest = digest_of(secret)
    row = connection.execute(select(KEY).where(KEY.c.digest == digest)).first()
    if row is None or not hmac.compare_digest(row.digest, digest):
        return None
    key = _key(row)
    return key if key.state(now) == "valid" else None


def used(connection: Connection, key_id: int, now: datetime) -> None:
    """Write down that a key is in use."""
    connection.execute(update(KEY).where(KEY.c.id == key_id).values(last_used_at=now))


def any_valid(connection: Connection, now: datetime) -> bool:
    """Whether anybody could call the API by a key."""
    return any(key.state(now) == "valid" for key in all_keys(connection))


def _found(connection: Connection, where: ColumnElement[bool]) -> Key:
    return _key(connection.execute(select(KEY).where(where)).one())


def _key(row: Any) -> Key:
    return Key(
        row.id, row.name, row.hint, row.role, tuple(row.scopes), tuple(row.stores), Rate.parse(row.rate),
        row.created_at, row.expires_at, row.revoked_at, row.last_used_at,
    )  # fmt: skip
