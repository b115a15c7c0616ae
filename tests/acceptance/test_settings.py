"""Settings from the environment, from .env, and from the files that variables name."""

from pathlib import Path

import pytest

from channels import create
from core.errors import EnvironmentFault
from scheduler.kit import apple_settings, google_settings
from tidings.settings import misspelt, read_settings


@pytest.fixture(autouse=True)
def nothing_is_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("TIDINGS_DATABASE", "TIDINGS_SECRET", "TIDINGS_LOG_LEVEL"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "secret").write_text("a secret of a container\n", "utf-8")


def test_a_value_may_stand_in_a_file_that_the_environment_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_SECRET_FILE", str(tmp_path / "secret"))
    secret = read_settings(tmp_path).secret
    assert secret is not None
    assert secret.get_secret_value() == "a secret of a container"


def test_the_environment_goes_before_env_and_a_value_before_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "level").write_text("debug", "utf-8")
    (tmp_path / ".env").write_text("TIDINGS_LOG_LEVEL_FILE=level\n", "utf-8")
    assert read_settings(tmp_path).log_level == "debug"
    (tmp_path / ".env").write_text("TIDINGS_LOG_LEVEL_FILE=level\nTIDINGS_LOG_LEVEL=error\n", "utf-8")
    assert read_settings(tmp_path).log_level == "error"
    monkeypatch.setenv("TIDINGS_LOG_LEVEL_FILE", str(tmp_path / "level"))
    assert read_settings(tmp_path).log_level == "debug"
    monkeypatch.setenv("TIDINGS_LOG_LEVEL", "info")
    assert read_settings(tmp_path).log_level == "info"


def test_channels_and_wallets_take_their_credentials_from_files_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("TIDINGS_EMAIL_PASSWORD", "TIDINGS_APPLE_KEY_PASSWORD"):
        monkeypatch.setenv(f"{name}_FILE", str(tmp_path / "secret"))
    email = create(
        "email", {"from": "Shop <a@shop.example>"}, outbox_dir=tmp_path, env_file=tmp_path / ".env"
    )
    assert email.settings.password.get_secret_value() == "a secret of a container"
    password = apple_settings(tmp_path / ".env").key_password
    assert password is not None
    assert password.get_secret_value() == "a secret of a container"


def test_a_setting_that_is_a_files_name_by_itself_stays_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_PUSH_SERVICE_ACCOUNT_FILE", str(tmp_path / "not there"))
    push = create("push", {}, outbox_dir=tmp_path, env_file=tmp_path / ".env")
    assert push.settings.service_account is None


def test_a_file_that_is_not_there_is_named_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = tmp_path / "database"
    monkeypatch.setenv("TIDINGS_DATABASE_FILE", str(missing))
    sentence = (
        f"TIDINGS_DATABASE_FILE names {missing}, which cannot be read \\(No such file or directory\\); put"
    )
    with pytest.raises(EnvironmentFault, match=sentence):
        read_settings(tmp_path)
    missing.write_bytes(b"\xff\xfe")
    with pytest.raises(EnvironmentFault, match="is no text"):
        read_settings(tmp_path)


def test_a_variable_that_names_a_file_is_no_misspelling(tmp_path: Path) -> None:
    env_file = tmp_path / ".env"
    env_file.write_text("TIDINGS_SMS_AUTH_TOKEN_FILE=secret\nTIDINGS_SMS_TOKEN_FILE=secret\n", "utf-8")
    assert [problem.line for problem in misspelt(env_file)] == [2]


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("bonus.example.org", "a web address"),
        *(
            (url, "an address that links can begin with")
            for url in (
                "https://bonus.example.org/?from=mail", "https://bonus.example.org/#top", "https://",
                "https://bonus.example.org/my shop", "https://me@bonus.example.org", "https://a:b",
                "https://straße.example", "https://[x",
                "https://кава.укр/?from=mail",
            )
        ),
    ],
)  # fmt: skip
def test_an_address_that_customers_links_cannot_begin_with_is_refused(
    url: str, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_PUBLIC_URL", url)
    with pytest.raises(EnvironmentFault, match=f"TIDINGS_PUBLIC_URL: expected {wanted}"):
        read_settings(tmp_path)


@pytest.mark.parametrize(
    ("url", "begins"),
    [
        ("https://bonus.example.org/", "https://bonus.example.org"),
        ("https://Example.org:8443/bonus/", "https://Example.org:8443/bonus"),
        ("https://кава.укр:8443/bonus", "https://xn--80aaf4a.xn--j1amh:8443/bonus"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_customers_links_begin_with_an_address_that_mail_can_carry(
    url: str, begins: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_PUBLIC_URL", url)
    assert read_settings(tmp_path).public_url == begins


def test_a_password_that_would_be_taken_for_the_servers_name_is_not_said_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_DATABASE", "postgresql://shop:first@second@127.0.0.1:1/shop?host=a@b")
    with pytest.raises(EnvironmentFault, match=r"TIDINGS_DATABASE: write an @ .* as %40;") as told:
        read_settings(tmp_path)
    assert "second" not in str(told.value)
    good = "postgresql://shop:first%40second@127.0.0.1:1/shop?host=a@b"
    monkeypatch.setenv("TIDINGS_DATABASE", good)
    assert read_settings(tmp_path).database == good


def test_a_log_level_that_there_is_not_is_refused_and_one_in_capitals_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDINGS_LOG_LEVEL", "INFO")
    assert read_settings(tmp_path).log_level == "info"
    monkeypatch.setenv("TIDINGS_LOG_LEVEL", "loud")
    with pytest.raises(EnvironmentFault, match="TIDINGS_LOG_LEVEL: must be debug, info, warning or error;"):
        read_settings(tmp_path)


def test_an_empty_variable_of_a_wallet_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SERVICE_ACCOUNT", "REQUESTS_A_SECOND", "SMART_TAP_ISSUERS", "TRANSPORT"):
        monkeypatch.setenv(f"TIDINGS_GOOGLE_{name}", "")
    google = google_settings(tmp_path / ".env")
    assert (google.service_account, google.transport, google.smart_tap_issuers) == (None, "folder", [])


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("TIDINGS_GOOGLE_SMART_TAP_ISSUERS=12345", "has a value that cannot be used"),
        ("TIDINGS_GOOGLE_SMART_TAP_ISSUERS=12345,67890", 'is not a list; write it as ["1", "2"]'),
        ("TIDINGS_GOOGLE_REQUESTS_A_SECOND=0", "has a value that cannot be used"),
    ],
)
def test_a_value_that_a_wallet_cannot_use_is_named(line: str, says: str, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"{line}\n", "utf-8")
    with pytest.raises(EnvironmentFault) as refused:
        google_settings(tmp_path / ".env")
    assert str(refused.value).startswith(f"{line.partition('=')[0]} {says}")


def test_at_least_one_push_is_under_way_at_once(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TIDINGS_APPLE_APNS_CONCURRENCY=0\n", "utf-8")
    with pytest.raises(EnvironmentFault, match="TIDINGS_APPLE_APNS_CONCURRENCY has a value"):
        apple_settings(tmp_path / ".env")
