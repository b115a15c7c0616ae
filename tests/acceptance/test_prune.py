"""`tidings prune`: what would go, what went, and what had to stay."""

import json

from tests.support.shop import Shop, shop

__all__ = ["shop"]

CUSTOMERS = "customer\nK-1\nK-2\nK-3\n"
LATER = "2030-01-01 00:00"


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
