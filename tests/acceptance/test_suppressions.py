"""Suppressions through the command line and the API."""

import json

from tests.support.shop import Shop, shop

__all__ = ["shop"]

CUSTOMERS = "customer,name,email\nK-1,Olena,olena@example.com\nK-2,Taras,taras@example.com\n"
LIST = """channel,address,reason,at
email,OLENA@example.com,complained,2025-11-20T09:00:00+02:00
email,nobody,,
"""
ANSWERED_FOR = ("--author", "maria", "--reason", "she called us")


def test_a_list_of_another_sender_is_tried_brought_in_shown_and_lifted(shop: Shop) -> None:
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    file = shop.write("suppressions.csv", LIST)
    tried = shop.run("suppressions", "import", str(file), "--dry-run")
    assert tried.code == 1, "a line is bad"
    assert "1 created" in tried.out
    assert "nothing was changed" in tried.out
    assert '"line": 3' in (shop.path / "suppressions.csv.rejects.jsonl").read_text()
    assert "0 of customers; 0 of addresses that nobody has now" in shop.run("suppressions", "list").out
    assert shop.run("suppressions", "import", str(file)).code == 1
    assert "1 unchanged" in shop.run("suppressions", "import", str(file)).out
    shown = json.loads(shop.run("suppressions", "list", "--for", "complained", "--format", "json").out)
    assert shown == {
        "suppressed": [
            {"customer": "K-1", "channel": "email", "address": "olena@example.com", "reason": "complained",
             "since": "2025-11-20T09:00:00+02:00"}
        ],
        "more": False, "of_nobody": 0,
    }  # fmt: skip
    assert "olena@example.com" in shop.run("suppressions", "list").out
    lifted = shop.run("suppressions", "lift", "email", "K-1", *ANSWERED_FOR)
    assert (lifted.code, lifted.out) == (0, "1 lifted on email\n")
    again = shop.run("suppressions", "lift", "email", "K-1", *ANSWERED_FOR)
    assert (again.code, again.err) == (2, "tidings: nothing of theirs is suppressed on email\n")


def test_all_of_a_reason_are_lifted_at_once_after_a_look_at_how_many(shop: Shop) -> None:
    rows = "channel,address,reason\nemail,a@example.com,bounced\nemail,b@example.com,bounced\n"
    assert shop.run("suppressions", "import", str(shop.write("s.csv", rows))).code == 0
    asked = ("suppressions", "lift", "email", "--for", "bounced", *ANSWERED_FOR)
    assert shop.run(*asked, "--dry-run").out == "2 would be lifted on email\n"
    assert shop.run(*asked, "--until", "2026-01-01").out == "0 lifted on email\n"
    assert shop.run(*asked).out == "2 lifted on email\n"


def test_what_is_not_meant_is_said_in_one_sentence(shop: Shop) -> None:
    for asked in (
        ("lift", "email", *ANSWERED_FOR),
        ("lift", "email", "a@example.com", "--for", "bounced", *ANSWERED_FOR),
        ("lift", "email", "--for", "erased", *ANSWERED_FOR),
        ("lift", "emial", "a@example.com", *ANSWERED_FOR),
        ("lift", "email", "a@example.com", "--author", "maria"),
        ("list", "--since", "yesterday"),
    ):
        refused = shop.run("suppressions", *asked)
        assert (refused.code, refused.err.count("\n")) == (2, 1), asked
