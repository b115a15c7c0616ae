"""Why each gate said what it said: the facts behind the verdicts on staged candidates.

Evidence is read for a batch of candidates while they are staged, by one query or two for each kind of fact:
as many queries for one customer as for a thousand.
"""

from campaigns.dryrun.evidence.witness import BATCH, Witness

__all__ = ["BATCH", "Witness"]
