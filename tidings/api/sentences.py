"""An entry of the ledger as one sentence for people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.ledger.adjustments import told as adjusted

_KINDS = {
    "accrual": "earned",
    "redemption": "spent",
    "expiry": "expired",
    "repayment": "a debt was repaid",
    "forgiveness": "a debt was forgiven",
    "reversal": "taken back",
    "restoration": "given back",
}

# The same with the other sign: an entry is never changed, a later one takes it back.
_UNDONE = {
    "accrual": "not earned after all",
    "expiry": "not expired after all",
    "forgiveness": "a debt was not forgiven after all",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of an entry; `amount` is whole bonuses with its sign.

    `operation` is the one that the entry belongs to: the corrected one if it corrects another (`corrects`).
    `author`, `data` and `result` are that operation's; `other` is the other side of what went
    from one account to another.
    """

    amount: str
    kind: str
    operation: str
    receipt: str | None
    rule: str | None
    corrects: str | None
    author: str | None = None
    other: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def leaves(self) -> bool:
        """Whether the account has less for it."""
        return self.amount.startswith("-")


def sentence(it: Told) -> str:
    """`+5.11: earned on receipt R-1 by the rule base`."""
    amount = it.amount if it.leaves else f"+{it.amount}"
    words = [f"{amount}: {_what(it)}"]
    if it.rule:
        words.append(f"by the rule {it.rule}")
    if it.corrects:
        words.append(f"(corrects an earlier {it.corrects})")
    return " ".join(words)


def _what(it: Told) -> str:
    if it.operation in _OPERATIONS and it.kind in ("accrual", it.operation):
        return _OPERATIONS[it.operation](it)
    if it.kind == "redemption" and not it.leaves:
        return f"given back, receipt {it.receipt}" if it.receipt else "given back"
    what = _KINDS.get(it.kind, it.kind.replace("_", " "))
    if it.leaves != (it.kind == "expiry"):
        what = _UNDONE.get(it.kind, what)
    return f"{what} on receipt {it.receipt}" if it.receipt else what


def _transferred(it: Told) -> str:
    return f"transferred {'to' if it.leaves else 'from'} {it.other or 'another customer'}"


def _merged(it: Told) -> str:
    profile = f"{it.other}, a profile" if it.other else "a profile"
    return f"moved {'to' if it.leaves else 'from'} {profile} of the same person when they were merged"


def _moved(it: Told) -> str:
    if it.leaves:
        return f"moved to the account of the household{f' of {it.other}' if it.other else ''}"
    return f"brought to the account of the household{f' by {it.other}' if it.other else ''}"


def _returned(it: Told) -> str:
    return f"after a return on receipt {it.receipt}" if it.receipt else "after a return"


def _acted(it: Told) -> str:
    act = it.result.get("act")
    return f"given for the act {act}" if act else "given for an act"


_OPERATIONS: Mapping[str, Callable[[Told], str]] = {
    "grant": lambda _: "granted",
    "return": _returned,
    "adjustment": lambda it: adjusted(it.author, it.data),
    "transfer": _transferred,
    "merge": _merged,
    "household": _moved,
    "act": _acted,
    "promo_code": lambda _: "given for a promo code",
    "erasure": lambda _: "written off when the person was erased",
}
