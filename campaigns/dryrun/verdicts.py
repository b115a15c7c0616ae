"""Every verdict as one line of CSV, written while it is staged: memory does not grow with the base."""

from typing import Any, TextIO

from campaigns.dryrun.evidence import BATCH, Witness
from campaigns.dryrun.forecast import SENDS, Evidence
from campaigns.dryrun.speaking import batches
from campaigns.gates import Step
from core.sheets import Sheet

COLUMNS = (
    "customer", "scenario", "step", "occasion", "meaning", "verdict", "gate", "channel", "message", "due_at",
    "evidence",
)  # fmt: skip
OURS = ("verdict", "gate", "channel", "due_at")


class VerdictLines:
    """One line for customer × scenario × step, to `file` (opened with `newline=""`); `count` of them."""

    def __init__(self, file: TextIO) -> None:
        self._sheet = Sheet(file, COLUMNS, ours=OURS)
        self.count = 0

    def __call__(self, step: Step) -> None:
        """Write the step's candidates."""
        witness = Witness(step)
        for rows in batches(step, BATCH):
            evidence = witness.of(rows)
            self._sheet.add(_line(step, row, evidence.get(row.id, [])) for row in rows)
            self.count += len(rows)


def _line(step: Step, row: Any, evidence: list[Evidence]) -> tuple[Any, ...]:
    meaning = "; ".join(it.said for it in evidence if it.about == "occasion")
    said = "; ".join(it.said for it in evidence if it.about != "occasion")
    verdict = row.said if row.said in SENDS else "held_back"
    gate = row.gate or ("quiet_hours" if verdict == "deferred" else "")
    due_at = row.due_at.isoformat() if row.gate is None and row.due_at else ""
    name = row.message if row.gate is None else ""
    return (
        row.who, step.scenario.name, step.step.id, row.occasion, meaning, verdict, gate, row.channel or "",
        name, due_at, said,
    )  # fmt: skip
