"""`tidings prune`: what would go, what went, and what had to stay."""

import json
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.support.shop import Shop, day, shop
from tidings.commands import keeping

__all__ = ["shop"]

CUSTOMERS = "customer\nK-1\nK-2\nK-3\n"
LATER = f"{day(1_200)} 00:00"


def test_what_would_go_is_said_and_only_what_is_old_goes(shop: Shop) -> None:
    assert shop.run("apply", "--yes").code == 0
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run("tick").code == 0
    would = json.loads(shop.run("prune", "--dry-run", "--at", LATER, "--format", "json").out)
    assert would["rows"]["events"] > 0
    refused = shop.run("prune", "--at", LATER)
    assert (refused.code, refused.err) == (
        2, "tidings: --at lies in the future; add --dry-run to see what would go by then\n"
    )  # fmt: skip
    now = shop.run("prune", "--format", "json")
    assert (now.code, json.loads(now.out)["rows"].get("events", 0)) == (0, 0)
    assert "gone" in shop.run("prune").out


def test_the_day_that_events_stay_since_is_one_of_the_program_s_calendar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    late = datetime(2026, 2, 28, 22, 30, tzinfo=UTC)
    keeping._show({}, {"purchase": late}, ZoneInfo("Europe/Kyiv"), dry_run=False)
    assert "events 'purchase' stay since 2026-03-01" in capsys.readouterr().out
