"""What may hold a message back, in the order of the language; each gate has a name that is counted."""

from campaigns.gates.allowance import capped, forget, make_room, number_places, reserve
from campaigns.gates.entry import already_entered, not_in_audience
from campaigns.gates.exits import exited
from campaigns.gates.holdout import holdout
from campaigns.gates.reach import REACH, no_consent, open_options, suppressed, unreachable, unreached
from campaigns.gates.step import Step, names_of
from campaigns.gates.timing import choose_channel, missing_text, set_times

# Entry and step gates, in their order; each sets `gate` on candidates that none before it holds back.
AT_THE_ENTRY = (not_in_audience, already_entered)
PIPELINE = (
    open_options,
    no_consent,
    suppressed,
    unreachable,
    unreached,
    holdout,
    exited,
)
# Those that use up allowances: for one occasion of each customer after the other.
IN_TURN = (capped, missing_text, choose_channel, set_times, make_room, reserve)

ENTRY = ("not_in_audience", "already_entered")
# The whole occasion is over, or this step of it; whom the others hold back may be asked again.
FINAL = ("holdout", "exited", "capped", "expired", "no_longer_true")
NAMES = (
    *ENTRY, *REACH, "holdout", "exited", "capped", "displaced", "missing_text", "quiet_hours", "expired",
    "no_longer_true",
)  # fmt: skip

__all__ = ["ENTRY", "FINAL", "NAMES", "REACH", "Step", "decide", "forget", "names_of"]


def decide(step: Step) -> None:
    """Let every gate say what it has to."""
    for gate in AT_THE_ENTRY:
        gate(step)
    # Most looks find only who has entered before.
    if not step.anybody:
        return
    for gate in PIPELINE:
        gate(step)
    for turn in number_places(step):
        for gate in IN_TURN:
            gate(turn)
