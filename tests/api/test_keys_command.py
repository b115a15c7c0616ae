"""Keys by the command line."""

import json

import pytest

from tests.support.shop import Shop, shop

__all__ = ["shop"]


def test_a_key_is_printed_once_and_listed_without_it(shop: Shop) -> None:
    made = shop.run(
        "keys", "create", "till-1", "--role", "till", "--store", "kyiv-1", "--rate", "50 per second"
    )
    assert made.code == 0
    [secret] = made.out.split()
    assert secret.startswith("tid_")
    listed = shop.run("keys", "list")
    assert secret not in listed.out
    assert all(
        word in listed.out for word in ("till-1", secret[:8], "kyiv-1", "50 per second", "valid", "never")
    )


def test_programs_get_one_document(shop: Shop) -> None:
    words = ["--scope", "events:read", "--expires", "2099-12-31", "--format", "json"]
    made = json.loads(shop.run("keys", "create", "feed", *words).out)
    assert made["key"].startswith(made["hint"])
    assert (made["scopes"], made["stores"], made["state"]) == (["events:read"], [], "valid")
    [listed] = json.loads(shop.run("keys", "list", "--format", "json").out)
    assert listed == {name: value for name, value in made.items() if name != "key"}


@pytest.mark.parametrize(
    ("zone", "ends"),
    [("Europe/Kyiv", "2099-12-31 22:00:00"), ("America/New_York", "2100-01-01 05:00:00")],
)
def test_a_key_ends_with_its_last_day_in_the_zone_of_the_program(shop: Shop, zone: str, ends: str) -> None:
    shop.change("program.yaml", "time_zone: Europe/Kyiv", f"time_zone: {zone}")
    words = ["--scope", "events:read", "--expires", "2099-12-31", "--format", "json"]
    made = json.loads(shop.run("keys", "create", "feed", *words).out)
    assert made["expires_at"].startswith(ends)
    assert "until 2099-12-31" in " ".join(shop.run("keys", "list").out.split())


@pytest.mark.parametrize("who", ["till-1", "1"])
def test_a_key_is_revoked_by_its_name_or_number(shop: Shop, who: str) -> None:
    shop.run("keys", "create", "till-1", "--role", "till")
    assert "is revoked" in shop.run("keys", "revoke", who).out
    assert "there are no keys" in shop.run("keys", "list").out
    [ended] = json.loads(shop.run("keys", "list", "--all", "--format", "json").out)
    assert ended["state"] == "revoked"
    assert shop.run("keys", "revoke", who).code == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["x", "--role", "boss"], "there is no role 'boss'; write metrics, till, marketer or admin"),
        (["x", "--scope", "receipt:write"], "did you mean 'receipts:write'?"),
        (["x"], "give --role or --scope"),
        (["1x", "--role", "till"], "write a letter"),
        (["x", "--role", "till", "--rate", "often"], "write for example '50 per second'"),
        (["x", "--role", "till", "--expires", "soon"], "write for example 2027-12-31"),
        (["x", "--role", "till", "--expires", "9999-12-31"], "leave it out for a key without one"),
        (["x", "--role", "till", "--expires", "2020-01-01"], "give a later day"),
    ],
)
def test_what_cannot_be_is_one_sentence(shop: Shop, words: list[str], says: str) -> None:
    said = shop.run("keys", "create", *words)
    assert said.code == 2
    assert says in said.err


def test_a_name_is_taken_once(shop: Shop) -> None:
    shop.run("keys", "create", "till-1", "--role", "till")
    again = shop.run("keys", "create", "till-1", "--role", "till")
    assert (again.code, "there is a key 'till-1' already" in again.err) == (2, True)
