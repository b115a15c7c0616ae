"""Consent and one's own data through the command line."""

import json
import os
import stat

import pytest

from tests.support.shop import Shop, shop
from tidings.workspace import Workspace

__all__ = ["shop"]

CUSTOMERS = "customer,name,email\nK-1,Olena,olena@example.com\n"
CONSENTS = """customer,channel,granted,at,source,wording,form,ip,confirmed_at
K-1,email,yes,2025-11-20T09:00:00+02:00,website,2025-01,checkout [desktop],192.0.2.7,2025-11-20T09:20:00+02:00
"""


def bring_in(shop: Shop) -> None:
    assert shop.run("import", "customers", str(shop.write("customers.csv", CUSTOMERS))).code == 0
    assert shop.run("import", "consents", str(shop.write("consents.csv", CONSENTS))).code == 0


def test_a_consent_is_imported_and_shown_with_its_proof(shop: Shop) -> None:
    bring_in(shop)
    [consent] = json.loads(shop.run("customer", "K-1", "--format", "json").out)["consents"]
    assert (consent["wording"], consent["source"]) == ("2025-01", "website")
    assert consent["proof"] == {
        "form": "checkout [desktop]", "ip": "192.0.2.7", "confirmed_at": "2025-11-20T07:20:00+00:00",
    }  # fmt: skip
    assert "website" in shop.run("customer", "K-1").out


def test_a_yes_to_be_confirmed_is_asked_for_by_a_letter_once(shop: Shop) -> None:
    program = (shop.path / "program.yaml").read_text(encoding="utf-8")
    shop.write("program.yaml", program.replace("double_opt_in: false", "double_opt_in: true"))
    assert shop.run("apply", "--yes").code == 0
    shop.write("customers.csv", CUSTOMERS)
    assert shop.run("import", "customers", str(shop.path / "customers.csv")).code == 0
    asked = shop.write("asked.csv", "customer,channel,granted,at\nK-1,email,yes,2026-03-01T09:00:00+02:00\n")
    assert shop.run("import", "consents", str(asked), "--live").code == 0
    ticked = shop.run("tick")
    assert (ticked.code, "1 letter sent that somebody waits for" in ticked.out) == (0, True)
    assert [file.suffix for file in sorted((shop.path / "outbox" / "email").iterdir())] == [".eml", ".html"]
    assert "letter" not in shop.run("tick").out


def test_a_person_is_given_their_data_as_a_file_for_them_alone(shop: Shop) -> None:
    bring_in(shop)
    file = shop.path / "olena.json"
    assert shop.run("apply", "--yes").code == 0
    said = shop.run("export-person", "K-1", str(file))
    assert (said.code, said.out) == (0, f"wrote {file}\n")
    assert json.loads(file.read_text())["profile"]["email"] == "olena@example.com"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o644)
    assert shop.run("export-person", "K-1", str(file)).code == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600, "a file that was there, too"
    assert shop.run("export-person", "nobody").code == 2


def test_the_key_of_links_is_changed_and_old_links_stay_good(shop: Shop) -> None:
    env = shop.path / ".env"
    before = Workspace(shop.path)
    token = before.links(before.files().program).preferences(7).rsplit("/", 1)[1]
    digest = before.addresses.digest("email", "olena@example.com")
    for _ in range(2):
        assert shop.run("keys", "rotate-links").code == 0
    after = Workspace(shop.path)
    links = after.links(after.files().program)
    assert len(links.earlier) == 2
    assert links.read("p", token) == 7
    assert links.preferences(7).rsplit("/", 1)[1] != token
    assert after.addresses.digest("email", "olena@example.com") == digest
    assert env.read_text().count("TIDINGS_LINK_KEYS=") == 1
    assert shop.run("keys", "rotate-links", "--print").out.count(",") == 3


def test_changing_the_key_leaves_env_where_it_is(shop: Shop) -> None:
    env, elsewhere = shop.path / ".env", shop.path / "secrets"
    env.replace(elsewhere)
    env.symlink_to(elsewhere)
    assert shop.run("keys", "rotate-links").code == 0
    assert env.is_symlink()
    assert "TIDINGS_LINK_KEYS=" in elsewhere.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_key_that_root_has_changed_is_still_the_services_to_read(shop: Shop) -> None:
    env = shop.path / ".env"
    os.chown(env, 12_345, 12_346)
    env.chmod(0o600)
    assert shop.run("keys", "rotate-links").code == 0
    now = env.stat()
    assert (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) == (12_345, 12_346, 0o600)


def test_a_new_key_is_not_written_where_the_environment_names_another_file(shop: Shop) -> None:
    named = shop.write("keys.txt", "a key of links that is long enough")
    shop.monkeypatch.setenv("TIDINGS_LINK_KEYS_FILE", str(named))
    said = shop.run("keys", "rotate-links")
    assert (said.code, "TIDINGS_LINK_KEYS_FILE stands in the environment" in said.err) == (2, True)
    assert "TIDINGS_LINK_KEYS" not in (shop.path / ".env").read_text()
