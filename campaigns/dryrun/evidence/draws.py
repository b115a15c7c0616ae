"""What the hash drew: the holdout and the variant."""

from decimal import Decimal

from campaigns.dryrun.evidence.facts import Batch, Told
from campaigns.dryrun.forecast import Evidence
from campaigns.gates.holdout import BUCKETS, drawn_as, salt
from core.db import bucket_of


def draw(batch: Batch) -> Told:
    """Which of the two draws holds them back, and by how much."""
    step = batch.step
    kinds = {
        "of all marketing": ("holdout", step.program.holdout),
        "of this scenario": (f"holdout:{drawn_as(step)}", step.scenario.holdout),
    }
    for row in batch.held("holdout"):
        what, part = kinds[row.detail]
        drawn = Decimal(bucket_of(salt(step.program.seed, what) + row.who)) / BUCKETS
        said = f"their draw is {drawn:.2%}, below the {_percent(part)} held out {row.detail}"
        yield row.id, Evidence("holdout", said, {"draw": f"{drawn:.6f}", "part": str(part), "of": row.detail})


def _percent(part: Decimal) -> str:
    return f"{(part * 100).normalize():f}%"


def variant(batch: Batch) -> Told:
    """Which of several texts the draw falls on."""
    choices = batch.step.step.choices
    if len(choices) < 2:
        return
    whole = sum(choice.weight for choice in choices)
    weights = {choice.message: choice.weight for choice in choices}
    for row in batch.rows:
        if row.gate is None:
            said = f"the text '{row.message}', drawn with weight {weights[row.message]} of {whole}"
            yield row.id, Evidence("variant", said, {"message": row.message, "weight": weights[row.message]})
