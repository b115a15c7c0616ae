"""Who is left alone so that the effect can be measured."""

from decimal import Decimal

from sqlalchemy import ColumnElement, exists, update

from campaigns.gates.step import Step
from campaigns.scenario import Scenario
from campaigns.staging import CANDIDATE
from core.db import bucket_of, hash_bucket
from core.tables import Customer

CUSTOMER = Customer.__table__  # type: ignore[attr-defined]
BUCKETS = 2**32


def holdout(step: Step) -> None:
    """Held out of all marketing, or of this scenario: two draws, independent of each other and stable."""
    if step.index or not step.marketing or not step.holdout_on:
        return
    draws = (
        ("holdout", step.program.holdout, "of all marketing"),
        (f"holdout:{drawn_as(step.scenario)}", step.scenario.holdout, "of this scenario"),
    )
    for what, part, said in draws:
        if part:
            held = exists().where(
                CUSTOMER.c.id == CANDIDATE.c.customer_id, drawn(step.program.seed, what, part)
            )
            step.hold("holdout", held, said)
    statement = update(CANDIDATE).where(CANDIDATE.c.gate == "holdout").values(arm="holdout")
    step.connection.execute(statement)


def drawn_as(scenario: Scenario) -> str:
    """The name in a scenario's draws: a renamed one keeps its own."""
    return scenario.formerly or scenario.name


def salt(seed: str, what: str) -> str:
    """What is hashed before the customer's external id: the seed, and what is being decided."""
    return f"{seed}:{what}:"


def drawn(seed: str, what: str, part: Decimal) -> ColumnElement[bool]:
    """The customers who fall into a part (a fraction of 1) of this draw."""
    return hash_bucket(salt(seed, what) + CUSTOMER.c.external_id) < int(part * BUCKETS)


def is_drawn(seed: str, what: str, external_id: str, part: Decimal) -> bool:
    """The same in Python."""
    return bucket_of(salt(seed, what) + external_id) < int(part * BUCKETS)
