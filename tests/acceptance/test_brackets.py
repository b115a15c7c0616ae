"""A name, an id or a reason with brackets in it stands on the terminal as it was written."""

from datetime import UTC, datetime

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]

WHO, NAME = "A[/b]1", "Olena [vip] [/x]"
CUSTOMERS = f"customer,name,email,locale,registered_at\n{WHO},{NAME},olena[/b]@example.com,uk,2025-01-10\n"
CONSENTS = f"customer,channel,granted,at\n{WHO},email,yes,2025-01-10T12:00:00+02:00\n"
NOW = datetime.now(UTC).isoformat()
RECEIPTS = f"receipt,customer,at,sku,quantity,total\nR[/b]1,{WHO},{NOW},beans,4,6000.00\n"


@pytest.fixture
def busy(shop: Shop) -> Shop:
    """A shop whose one customer has a name of a kind that some program writes."""
    shop.change("program.yaml", "holdout: 5%", "holdout: 0%")
    # At any hour of the night, too.
    shop.change("scenarios/bonus-accrued.yaml", "purpose: service ", "purpose: transactional ")
    assert shop.run("apply", "--yes").code == 0
    for kind, text in (("customers", CUSTOMERS), ("consents", CONSENTS)):
        shop.run("import", kind, str(shop.write(f"{kind}.csv", text)))
    assert shop.run("card", "issue", WHO).code == 0
    assert shop.run("tick").code == 0
    assert shop.run("import", "receipts", str(shop.write("r.csv", RECEIPTS)), "--live").code == 0
    assert shop.run("adjust", WHO, "100", "--author", "maria", "--reason", "[sorry] [/b]").code == 0
    return shop


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("customer A[/b]1", NAME),
        ("dry-run --customer A[/b]1", NAME),
        ("tick", "A[/b]1"),
        ("messages", "A[/b]1"),
        ("codes list", "spring[/b]"),
        ("channels", "[why] [/b]"),
    ],
)
def test_what_others_wrote_is_not_taken_for_colours(busy: Shop, command: str, shown: str) -> None:
    assert busy.run("codes", "create", "apology", "--batch", "spring[/b]").code == 0
    assert busy.run("pause", "--channel", "sms", "--reason", "[why] [/b]").code == 0
    if command == "messages":
        assert busy.run("tick").code == 0
    said = busy.run(*command.split())
    assert said.code == 0, said.err
    assert shown in said.out
