"""The dry run: who would get what, who not and why, what it costs and when it leaves. Nothing is kept."""

from campaigns.dryrun.forecast import Evidence, Forecast, Sample
from campaigns.dryrun.run import DryRun

__all__ = ["DryRun", "Evidence", "Forecast", "Sample"]
