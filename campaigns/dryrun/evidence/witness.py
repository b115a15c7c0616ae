"""Who is asked what: the evidence for a batch of candidates, gate by gate."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from campaigns.dryrun.evidence.allowance import allowances, victims
from campaigns.dryrun.evidence.draws import draw, variant
from campaigns.dryrun.evidence.entry import audience, entered, lots, occasion
from campaigns.dryrun.evidence.exits import purchases
from campaigns.dryrun.evidence.facts import Batch
from campaigns.dryrun.evidence.reach import channels
from campaigns.dryrun.evidence.timing import timing
from campaigns.dryrun.forecast import Evidence
from campaigns.dryrun.words import Words
from campaigns.gates import Step

# How many candidates are told of at once: the queries are few, the lists of ids short.
BATCH = 1_000
# In the order in which the gates speak.
TELLERS = (
    occasion, lots, audience, entered, channels, draw, purchases, allowances, victims, variant, timing,
)  # fmt: skip


class Witness:
    """Tells why, of the candidates of one step."""

    def __init__(self, step: Step) -> None:
        self.step, self.words = step, Words(step.program)

    def of(self, rows: Sequence[Any]) -> Mapping[int, list[Evidence]]:
        """Candidate's id → its evidence; `rows` are staged candidates (`campaigns.dryrun.speaking`)."""
        found: dict[int, list[Evidence]] = defaultdict(list)
        for start in range(0, len(rows), BATCH):
            batch = Batch(self.step, self.words, rows[start : start + BATCH])
            for tell in TELLERS:
                for candidate, evidence in tell(batch):
                    found[candidate].append(evidence)
            for row in batch.held():
                found[row.id] += _of_the_gate(row, found[row.id])
        return found


def _of_the_gate(row: Any, told: Sequence[Evidence]) -> list[Evidence]:
    """What the gate itself has noted, where nothing else was found for it."""
    if any(it.about == row.gate for it in told):
        return []
    return [Evidence(row.gate, row.detail or row.gate.replace("_", " "))]
