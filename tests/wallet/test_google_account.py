"""The service account's key file, and what is told of it and of holders when something is printed."""

import json
from pathlib import Path

import pytest

from core.errors import EnvironmentFault
from wallet.google.account import Account, account_for, load
from wallet.google.calls import Answer, Call
from wallet.google.client import Message, Save
from wallet.google.settings import GoogleSettings


def test_a_throw_away_key_is_made_once_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    one, other = (account_for(GoogleSettings(), tmp_path) for _ in range(2))
    assert one.info == other.info
    assert (tmp_path / "service-account.json").stat().st_mode & 0o077 == 0


def test_where_a_throw_away_key_cannot_be_kept_it_is_said_what_to_set(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(
        EnvironmentFault, match="TIDINGS_APPLE_CERTIFICATE and TIDINGS_GOOGLE_SERVICE_ACCOUNT"
    ):
        account_for(GoogleSettings(), tmp_path / "taken" / "google")


def test_the_api_needs_a_real_account(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFault, match="TIDINGS_GOOGLE_SERVICE_ACCOUNT is not set"):
        account_for(GoogleSettings(transport="api"), tmp_path)


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"client_email": "a", "private_key": "b"}'])
def test_a_file_that_is_no_account_is_named(content: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(EnvironmentFault, match="is not a service account's JSON key"):
        load(tmp_path / "key.json")


def test_a_file_that_says_not_where_tokens_are_had_is_no_account(tmp_path: Path) -> None:
    info = {
        name: it for name, it in account_for(GoogleSettings(), tmp_path).info.items() if name != "token_uri"
    }
    (tmp_path / "key.json").write_text(json.dumps(info))
    with pytest.raises(EnvironmentFault, match="is not a service account's JSON key"):
        load(tmp_path / "key.json")


def test_a_file_that_is_missing_is_named() -> None:
    with pytest.raises(EnvironmentFault, match=r"there is no file nowhere\.json"):
        load(Path("nowhere.json"))


def test_what_is_printed_names_no_holder_and_no_key(account: Account) -> None:
    body = {"id": "1.a", "accountName": "Олена"}
    printed = repr(
        [account, Call("PATCH", "loyaltyObject/1.a", body), Save(body, exists=True), Message("1.a", body),
         Answer(200, "Олена".encode())]
    )  # fmt: skip
    assert "Олена" not in printed
    assert repr("Олена".encode())[2:-1] not in printed
    assert "PRIVATE KEY" not in printed
