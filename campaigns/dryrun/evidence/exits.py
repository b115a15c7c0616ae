"""Which purchase ended a scenario for somebody."""

from typing import Any

from sqlalchemy import literal, select

from campaigns.dryrun.evidence.facts import Batch, Told
from campaigns.dryrun.forecast import Evidence
from campaigns.gates.exits import made_since
from campaigns.tables import Enrolment
from core.db import UtcDateTime
from core.tables import Receipt

ENROLMENT = Enrolment.__table__  # type: ignore[attr-defined]
RECEIPT = Receipt.__table__  # type: ignore[attr-defined]
# How the gate notes why it ended (campaigns.gates.exits).
GOAL, UNLESS = "goal met", "unless purchase"


def purchases(batch: Batch) -> Told:
    """The first purchase after the entry, where the gate says that it was one."""
    rows = [row for row in batch.held("exited") if _names_a_purchase(row.detail)]
    if not rows:
        return
    first: dict[int, Any] = {}
    for receipt in batch.connection.execute(_bought(batch, [row.enrolment_id for row in rows])):
        first.setdefault(receipt.enrolment_id, receipt)
    for row in rows:
        if row.enrolment_id in first:
            yield row.id, _tell(batch, row, first[row.enrolment_id])


def _names_a_purchase(detail: str | None) -> bool:
    return detail == GOAL or (detail or "").startswith(UNLESS)


def _bought(batch: Batch, enrolments: list[int]) -> Any:
    now = literal(batch.step.at, UtcDateTime)
    columns = (RECEIPT.c.external_id, RECEIPT.c.at, RECEIPT.c.total, RECEIPT.c.store)
    return (
        select(ENROLMENT.c.id.label("enrolment_id"), ENROLMENT.c.at.label("entered_at"), *columns)
        .join(RECEIPT, RECEIPT.c.customer_id == ENROLMENT.c.customer_id)
        .where(ENROLMENT.c.id.in_(enrolments), made_since(ENROLMENT.c.at), RECEIPT.c.at <= now)
        .order_by(RECEIPT.c.at, RECEIPT.c.id)
    )


def _tell(batch: Batch, row: Any, receipt: Any) -> Evidence:
    words = batch.words
    why = "the goal is met" if row.detail == GOAL else f"the step is not for them {row.detail}"
    said = (
        f"bought for {words.money(receipt.total)} on {words.moment(receipt.at)} "
        f"(receipt {receipt.external_id}), after they entered on {words.moment(receipt.entered_at)}: {why}"
    )
    values = {
        "receipt": receipt.external_id, "total": str(batch.step.program.from_money(receipt.total)),
        "at": receipt.at.isoformat(), "entered_at": receipt.entered_at.isoformat(),
    }  # fmt: skip
    return Evidence("exited", said, values)
