"""Why a message waits, or would come too late."""

from typing import Any

from campaigns.dryrun.evidence.facts import Batch, Told
from campaigns.dryrun.forecast import Evidence


def timing(batch: Batch) -> Told:
    """Quiet hours and days without marketing, by the customer's clock; and for how long a message is good."""
    for row in batch.rows:
        if row.said == "deferred":
            yield row.id, _waits(batch, row)
        elif row.gate == "expired" and row.expires_at is not None:
            yield row.id, _late(batch, row)


def _waits(batch: Batch, row: Any) -> Evidence:
    step, zone = batch.step, batch.zone_of(row)
    local = step.at.astimezone(zone)
    # Those who wait on a day without marketing wait for its end, whatever the hour.
    silent = step.marketing and local.date() in step.program.blackout
    window = None if silent else step.scenario.quiet_hours(step.program.quiet_hours)
    quiet = f"quiet hours are {window}" if window else "there is no marketing today"
    said = (
        f"it is {local:%H:%M} for them ({zone.key}) and {quiet}: "
        f"it leaves on {batch.words.moment(row.due_at, zone)}"
    )
    values = {
        "until": row.due_at.isoformat(),
        "time_zone": zone.key,
        "window": str(window) if window else None,
    }
    return Evidence("quiet_hours", said, values)


def _late(batch: Batch, row: Any) -> Evidence:
    zone, words = batch.zone_of(row), batch.words
    said = (
        f"planned for {words.moment(row.at, zone)} and good for {batch.step.scenario.limits.valid_for}, "
        f"but it could leave on {words.moment(row.due_at, zone)} at the earliest"
    )
    return Evidence(
        "expired", said, {"expires_at": row.expires_at.isoformat(), "due_at": row.due_at.isoformat()}
    )
