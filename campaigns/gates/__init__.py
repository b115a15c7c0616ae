"""What may hold a message back, in the order of the language; each gate has a name that is counted."""

from campaigns.gates.allowance import capped, forget, make_room, number_places, reserve
from campaigns.gates.entry import entry_gate
from campaigns.gates.exits import exited
from campaigns.gates.holdout import holdout
from campaigns.gates.reach import REACH, open_options, unreached
from campaigns.gates.step import Step
from campaigns.gates.timing import missing_text, plan
from campaigns.names import names_of

# The gates of a step, in their order; each sets `gate` on candidates that none before it holds back. Those of
# the entry have spoken when the candidates were found (`entry_gate`).
PIPELINE = (open_options, unreached, holdout, exited)
# Those that use up allowances: for one occasion of each customer after the other.
IN_TURN = (capped, missing_text, plan, make_room, reserve)

ENTRY = ("not_in_audience", "already_entered")
# The whole occasion is over, or this step of it; whom the others hold back may be asked again.
FINAL = ("holdout", "exited", "capped", "expired", "no_longer_true")
NAMES = (
    *ENTRY, *REACH, "holdout", "exited", "capped", "displaced", "missing_text", "quiet_hours", "expired",
    "no_longer_true",
)  # fmt: skip

__all__ = ["ENTRY", "FINAL", "NAMES", "REACH", "Step", "decide", "entry_gate", "forget", "names_of"]


def decide(step: Step) -> None:
    """Let every gate of the step say what it has to; somebody is free."""
    for gate in PIPELINE:
        gate(step)
    for turn in number_places(step):
        for gate in IN_TURN:
            gate(turn)
