"""Who is left alone so that the effect can be measured."""

from decimal import Decimal

from sqlalchemy import ColumnElement, case, or_

from campaigns.gates.step import Step
from campaigns.names import names_through_time
from campaigns.staging import CANDIDATE
from core.db import bucket_of, hash_bucket

BUCKETS = 2**32
# Said of whom the draw of the whole program holds out; the others are held out of one scenario.
OF_ALL_MARKETING = "of all marketing"


def holdout(step: Step) -> None:
    """Held out of all marketing, or of this scenario: two draws, independent of each other and stable."""
    if step.index or not step.marketing or not step.holdout_on:
        return
    draws = []
    if step.program.holdout:
        draws.append((drawn(step.program.seed, "holdout", step.program.holdout), OF_ALL_MARKETING))
    if step.scenario.holdout:
        what = f"holdout:{drawn_as(step)}"
        draws.append((drawn(step.program.seed, what, step.scenario.holdout), "of this scenario"))
    if draws:
        *first, (_, last) = draws
        by_which = case(*first, else_=last) if first else last
        step.hold("holdout", or_(*(held for held, _ in draws)), by_which, arm="holdout")


def drawn_as(step: Step) -> str:
    """The name in a scenario's draws: its first one, however often it was renamed."""
    return names_through_time(step.connection, step.scenario)[0]


def salt(seed: str, what: str) -> str:
    """What is hashed before the customer's external id: the seed, and what is being decided."""
    return f"{seed}:{what}:"


def drawn(seed: str, what: str, part: Decimal) -> ColumnElement[bool]:
    """The candidates whose customers fall into a part (a fraction of 1) of this draw."""
    return hash_bucket(salt(seed, what) + CANDIDATE.c.external_id) < int(part * BUCKETS)


def is_drawn(seed: str, what: str, external_id: str, part: Decimal) -> bool:
    """The same in Python."""
    return bucket_of(salt(seed, what) + external_id) < int(part * BUCKETS)
