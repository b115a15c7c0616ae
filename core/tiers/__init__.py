"""Levels: up at once, down when the period and its grace no longer carry them.

How a level moves follows from purchases, invitations and the program alone (`ladder`), whenever somebody
looks. `Climb` moves levels while receipts come, `review` is the nightly look, `rewrite` is for replays.
"""

from core.tiers.climb import Climb
from core.tiers.discount import discount_of
from core.tiers.inviting import invite
from core.tiers.merged import merged_since
from core.tiers.periods import period_began
from core.tiers.progress import Progress, progress, progress_of
from core.tiers.records import CHANGE, CUSTOMER, rewrite, standing_at, write
from core.tiers.review import REVIEWED, review, review_of_the_day
from core.tiers.standing import Move, Standing

__all__ = [
    "CHANGE",
    "CUSTOMER",
    "REVIEWED",
    "Climb",
    "Move",
    "Progress",
    "Standing",
    "discount_of",
    "invite",
    "merged_since",
    "period_began",
    "progress",
    "progress_of",
    "review",
    "review_of_the_day",
    "rewrite",
    "standing_at",
    "write",
]
