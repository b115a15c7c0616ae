"""`tidings card …` as an operator uses it: issued, looked at, issued anew, revoked."""

import json
import shutil
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from zipfile import ZipFile

import pytest

from core.db import Database
from tests.api.shop import private
from tests.support.shop import Shop, shop
from tests.wallet.phone import contents
from wallet import registrations
from wallet.apple import complaints
from wallet.tables import PASS

__all__ = ["shop"]

CUSTOMERS = "customer,name,locale,card\nK-1,Олена Коваль,uk,KV1\nK-2,Ivan,en,KV2\n"


@pytest.fixture
def counter(shop: Shop) -> Shop:
    """A shop with two customers and its card live."""
    shutil.copytree(private(), shop.path / ".tidings")
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run("apply", "--yes", "--as", "anna").code == 0
    return shop


def told(counter: Shop, *words: str) -> dict[str, Any]:
    said = counter.run("card", *words, "--format", "json")
    assert said.code == 0, said.err
    return dict(json.loads(said.out))


def test_a_cards_life(counter: Shop) -> None:
    issued = told(counter, "issue", "K-1", "KV2")
    with ZipFile(str(issued["pkpasses"])) as bundle:
        found = [contents(bundle.read(name)) for name in sorted(bundle.namelist())]
    assert [it["barcodes"][0]["message"] for it in found] == ["KV1", "KV2"]
    first = told(counter, "status", "K-1")
    page = counter.run("card", "status", "K-1").out
    for word in (
        "issued",
        str(first["serial"]),
        str(first["short"]),
        "Бонуси",
        "No Apple device",
        "as the card is",
    ):
        assert word in page
    lost = ("--author", "maria", "--reason", "phone lost")
    assert "the old barcode stays good" in counter.run("card", "reissue", "K-1", *lost).out.replace("\n", " ")
    again = told(counter, "reissue", "K-1", *lost, "--card", "KV9")
    now = told(counter, "status", "K-1")
    assert (now["serial"], now["barcode"]) == (again["serial"], "KV9")
    assert first["serial"] in str(now["replaced"])
    assert counter.run("card", "revoke", "K-1", "--author", "maria").out == "the card of K-1 is revoked\n"
    assert told(counter, "status", "K-1")["state"] == "revoked"
    assert "was revoked" in counter.run("card", "issue", "K-1").err
    everything = told(counter, "status")
    assert (everything["issued"], everything["revoked"]) == (1, 1)
    assert "in Apple Wallet" in counter.run("card", "status").out


def test_what_phones_complain_of_is_read_where_all_cards_are_and_steers_no_terminal(counter: Shop) -> None:
    assert told(counter, "status")["complaints"] == []
    lines = [f"[{number}] Response to 'What changed?' was \x1b[2J invalid" for number in range(1, 13)]
    address = f"sqlite:///{counter.path / 'tidings.db'}"
    with closing(Database(address)) as database, database.write() as connection:
        complaints.keep(connection, lines, datetime(2026, 3, 1, 8, 0, tzinfo=UTC))
    said = told(counter, "status")["complaints"]
    assert said[0] == {
        "at": "2026-03-01T08:00:00+00:00", "text": "[12] Response to 'What changed?' was  [2J invalid",
    }  # fmt: skip
    assert len(said) == 10
    page = counter.run("card", "status").out
    assert "2026-03-01 08:00 UTC" in page
    assert "[12] Response to" in page
    assert "\x1b" not in page


def test_a_version_that_would_leave_cards_in_wallets_behind_says_so_first(counter: Shop) -> None:
    told(counter, "issue", "K-1", "KV2")
    counter.change("program.yaml", "pass.example.kavarnia", "pass.example.other")
    counter.change("program.yaml", "3388000000022000000", "3388000000022000001")
    nobody = counter.run("diff", "--format", "json").out
    assert json.loads(nobody)["left_behind"] == [], "who has no card in a wallet loses none"
    serial, now = str(told(counter, "status", "K-1")["serial"]), datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
    address = f"sqlite:///{counter.path / 'tidings.db'}"
    with closing(Database(address)) as database, database.write() as connection:
        registrations.register(connection, serial, "phone-1", "aa11", now)
        connection.execute(PASS.update().values(google_saved=True))
    for said in (counter.run("diff").out, counter.run("apply").out):
        assert "one card on iPhones of the pass type pass.example.kavarnia and the team ABCDE12345" in said
        assert "2 cards saved to Google Wallet from the issuer 3388000000022000000 would" in said
    counter.change("program.yaml", "pass.example.other", "pass.example.kavarnia")
    [google] = json.loads(counter.run("diff", "--format", "json").out)["left_behind"]
    assert "wallet.google" in google


def test_a_customers_number_may_hold_anything(counter: Shop) -> None:
    odd = ("../../up", "[/bold]", "a/b")
    table = "customer,name\n" + "".join(f"{name},Ivan\n" for name in odd)
    assert counter.run("import", "customers", str(counter.write("odd.csv", table))).code == 0
    said = counter.run("card", "issue", *odd, "--out", "passes")
    assert said.code == 0, said.err
    files = {str(it.relative_to(counter.path)) for it in counter.path.parent.rglob("*.pkpass")}
    assert files == {"passes/..%2F..%2Fup.pkpass", "passes/[%2Fbold].pkpass", "passes/a%2Fb.pkpass"}
    for name in odd:
        assert f"\n{name}\n" in f"\n{said.out}"
        lost = counter.run("card", "reissue", name, "--author", "maria", "--reason", "lost")
        assert (lost.code, lost.out.startswith(f"{name} has a new pass")) == (0, True), lost.err


def test_more_passes_than_a_phone_adds_together_are_refused_before_one_is_issued(counter: Shop) -> None:
    names = [f"M-{number}" for number in range(11)]
    table = "customer,name\n" + "".join(f"{name},Ivan\n" for name in names)
    assert counter.run("import", "customers", str(counter.write("many.csv", table))).code == 0
    said = counter.run("card", "issue", *names)
    assert (said.code, "at most 10 passes, not 11" in said.err) == (2, True)
    assert told(counter, "status")["issued"] == 0
    assert counter.run("card", "issue", *names[:10], names[0]).code == 0


def test_what_cannot_be_is_one_sentence(counter: Shop) -> None:
    mistakes = {
        ("status", "nobody"): "there is no customer 'nobody'",
        ("revoke", "K-1", "--author", "maria"): "K-1 has no card that could be revoked",
        ("reissue", "K-1", "--author", "m", "--reason", "x", "--card", "KV2"): "--card KV2: ",
        ("reissue", "K-1", "--author", "m"): "--reason",
        ("reissue", "K-1", "--author", " ", "--reason", "lost"): "--author: say who answers for it",
        ("revoke", "K-1", "--author", "m", "--reason", ""): "--reason: say why",
        ("reissue", "K-1", "--author", "m", "--reason", "x", "--card", ""): "--card: write a number",
        ("reissue", "K-1", "--author", "m", "--reason", "x", "--card", "1" * 101): "--card: write a number",
    }
    for words, says in mistakes.items():
        said = counter.run("card", *words)
        assert said.code == 2
        assert says in said.err
    assert told(counter, "status", "K-1")["barcode"] == "KV1"
