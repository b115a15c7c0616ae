"""The last word on each step of each occasion: why somebody was told, or why not.

A message says it itself, by its state; for whom there is none a decision says which gate was against it. What
was decided before a message was planned after all counts no more.
"""

from collections.abc import Callable

from sqlalchemy import ColumnElement, Subquery, Table, case, exists, func, select, true, union_all

from campaigns.tables import Decision, Message

DECISION = Decision.__table__  # type: ignore[attr-defined]
MESSAGE = Message.__table__  # type: ignore[attr-defined]

KEY = ("customer_id", "scenario", "occasion", "step")


def of_messages() -> ColumnElement[str]:
    """`planned`, `deferred`, `sent`, `unknown`, `failed`, `expired`, or the gate that took it back.

    A report that it arrived, or a second channel that is still to be tried, leaves it `sent`.
    """
    state, accepted = MESSAGE.c.state, MESSAGE.c.accepted_at.is_not(None)
    under_way = state.in_(("planned", "deferred", "sending"))
    return case(
        (state == "recalled", func.coalesce(MESSAGE.c.reason, state)),
        ((state == "delivered") | (under_way & accepted), "sent"),
        (state == "sending", "planned"),
        else_=state,
    )


def _everybody(_table: Table) -> ColumnElement[bool]:
    return true()


def verdicts(of: Callable[[Table], ColumnElement[bool]] = _everybody) -> Subquery:
    """Rows (customer_id, scenario, occasion, step, verdict, detail, at), of the rows that `of` picks out.

    It is asked once for messages and once for decisions; both have the columns of `KEY`.
    """
    planned = exists().where(*(MESSAGE.c[name] == DECISION.c[name] for name in KEY))
    told = select(
        *(MESSAGE.c[name] for name in KEY), of_messages().label("verdict"), MESSAGE.c.detail,
        MESSAGE.c.changed_at.label("at"),
    ).where(of(MESSAGE))  # fmt: skip
    silent = select(
        *(DECISION.c[name] for name in KEY), DECISION.c.verdict, DECISION.c.detail, DECISION.c.at
    ).where(of(DECISION), ~planned)
    return union_all(told, silent).subquery("verdict")
