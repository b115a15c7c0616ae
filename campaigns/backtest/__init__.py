"""A scenario on the days that are over: what it would have sent, day by day."""

from campaigns.backtest.replay import Period, Replay, checked, day
from campaigns.backtest.report import Backtest
from campaigns.backtest.world import Sample

__all__ = ["Backtest", "Period", "Replay", "Sample", "checked", "day"]
