"""What has become true: one file a trigger, found by its name.

A trigger turns facts into candidates: who is due, on which occasion, with which facts. It is a `SELECT`;
nothing here loops over customers.
"""

from triggers.base import CANDIDATE_COLUMNS, Due, Fact, Look, Trigger, discover

__all__ = ["CANDIDATE_COLUMNS", "Due", "Fact", "Look", "Trigger", "discover"]
