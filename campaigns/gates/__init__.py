"""What may hold a message back, in the order of the language; each gate has a name that is counted."""

from campaigns.gates.allowance import capped, forget, make_room, number_places, reserve
from campaigns.gates.entry import ENTRY, NO_CONSENT, agreed_nowhere, any_merged, entry_gate
from campaigns.gates.exits import exited
from campaigns.gates.holdout import holdout
from campaigns.gates.reach import REACH, said_before, unreached
from campaigns.gates.step import Staged, Step, Who
from campaigns.gates.timing import expired, expires_at, good_until, missing_text, plan
from campaigns.names import names_of

# The gates of a step after `unreached`, in their order; each sets `gate` on candidates that none before it
# holds back. Those of the entry have spoken when the candidates were found (`entry_gate`), and what everybody
# would be sent was decided there (`plan`).
PIPELINE = (holdout, exited, good_until)

# The whole occasion is over, or this step of it; whom the others hold back may be asked again.
FINAL = ("holdout", "exited", "capped", "expired", "no_longer_true")
NAMES = (
    *ENTRY, *REACH, "holdout", "exited", "capped", "displaced", "missing_text", "quiet_hours", "expired",
    "no_longer_true",
)  # fmt: skip

__all__ = [
    "ENTRY",
    "FINAL",
    "NAMES",
    "NO_CONSENT",
    "REACH",
    "Step",
    "Who",
    "agreed_nowhere",
    "any_merged",
    "decide",
    "entry_gate",
    "expires_at",
    "forget",
    "names_of",
    "plan",
    "said_before",
]


def decide(step: Step, staged: Staged) -> None:
    """Let every gate of the step say what it has to; somebody is free."""
    if staged.unreached:
        unreached(step)
    for gate in PIPELINE:
        gate(step)
    # Those that use up allowances: for one occasion of each customer after the other.
    for turn in number_places(step, several=staged.candidates > staged.people):
        gives_way = capped(turn)
        missing_text(turn)
        expired(turn)
        if gives_way:
            make_room(turn)
        reserve(turn)
