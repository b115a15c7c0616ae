"""What every channel keeps, whichever folder it comes from: run over all that are discovered."""

import asyncio
import importlib.util
import logging
import re
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import get_args
from urllib.parse import quote

import pytest

from channels import Accepted, Failed, Outcome, Unknown, create, discover
from channels.base import AddressKind
from core.errors import EnvironmentFault, UserError
from tests.channels.helpers import connected, outcomes_of, outgoing, run, send, send_one, use
from tests.channels.providers.base import SECRET, Provider, Verdict

NAMES = sorted(discover())
ANSWERED: tuple[Verdict, ...] = ("accept", "permanent", "temporary", "dead", "drop")
# A word for a person to read, and no place for an address, a text or a secret.
REASON = re.compile(r"[a-z][a-z0-9_]{2,39}")
DETAIL = re.compile(r"[A-Za-z0-9_.,:/ -]{0,80}")


def stand_in(name: str) -> type[Provider]:
    """The provider of a channel, on this machine."""
    server: type[Provider] = importlib.import_module(f"tests.channels.providers.{name}").Server
    return server


def carried() -> list[str]:
    """The channels by which something leaves; the others hand over inside the house."""
    found = {name: importlib.util.find_spec(f"tests.channels.providers.{name}") for name in NAMES}
    return [name for name in NAMES if found[name] is None or "drop" not in stand_in(name).never]


across_the_network = pytest.mark.parametrize("name", carried())


@pytest.fixture(params=NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """A channel's name."""
    return str(request.param)


@pytest.fixture
def provider(name: str) -> Iterator[Provider]:
    """A local server that speaks the protocol of the channel's provider."""
    server = stand_in(name)()
    yield server
    server.close()


def answered(provider: Provider) -> list[Verdict]:
    """What the provider can say of a message."""
    return [verdict for verdict in ANSWERED if verdict not in provider.never]


def test_every_folder_is_a_channel_of_its_own_name() -> None:
    home = Path(importlib.import_module("channels").__file__ or "").parent
    folders = {path.parent.name for path in home.glob("*/__init__.py")}
    assert {channel.name for channel in discover().values()} == folders
    assert set(discover()) == folders


def test_finding_the_channels_loads_no_vendors_library() -> None:
    vendors = "aiosmtplib twilio firebase_admin google.auth httpx phonenumbers"
    loaded = f"[vendor for vendor in '{vendors}'.split() if vendor in sys.modules]"
    program = f"import sys, channels; channels.discover(); print({loaded})"
    printed = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert printed.strip() == "[]"


def test_a_channel_explains_itself(name: str) -> None:
    channel = discover()[name]
    module = importlib.import_module(channel.__module__)
    for documented in (module, channel, channel.Config, channel.Settings):
        assert (documented.__doc__ or "").strip().endswith(".")
    for model in (channel.Config, channel.Settings):
        undescribed = [field for field, info in model.model_fields.items() if not info.description]
        assert set(undescribed) <= {"transport"}


def test_a_channel_declares_how_it_treats_doubt_and_where_its_texts_stand(name: str) -> None:
    channel = discover()[name]
    assert channel.policy in {"at_most_once", "at_least_once"}
    assert channel.confirmed_by in {"accepted", "delivered"}
    assert channel.address_kind in get_args(AddressKind)
    assert all(file.startswith(f"{name}.") for file in channel.text_files)
    assert channel.Settings.model_config.get("env_prefix") == f"TIDINGS_{name.upper()}_"


def test_a_channel_without_settings_writes_into_the_folder_what_people_can_read(
    name: str, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    channel = create(name, provider.config, outbox_dir=tmp_path)
    assert channel.settings.transport == "folder"
    message = outgoing(provider.address("accept"), provider.parts, key="2026/03:first")
    outcome = send_one(channel, message)
    assert isinstance(outcome, Accepted)
    written = sorted(path.name for path in (tmp_path / name).iterdir())
    assert written
    assert outcome.provider_id.removeprefix(f"{name}/") in written
    assert any("Привіт" in read(path) or "бонус" in read(path) for path in (tmp_path / name).iterdir())
    assert send_one(channel, message) == outcome
    assert sorted(path.name for path in (tmp_path / name).iterdir()) == written


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def test_a_program_that_says_nothing_of_a_channel_is_served_and_nothing_leaves_in_no_name(
    name: str, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    channel = create(name, None, outbox_dir=tmp_path)
    outcome = send_one(channel, outgoing(provider.address("accept"), provider.parts))
    nobodys = bool(channel.stand_in)
    assert outcome == Failed("permanent", "no_sender") if nobodys else isinstance(outcome, Accepted)


def test_a_missing_credential_is_one_clear_sentence(
    name: str, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in provider.credentials:
        there = {key: value for key, value in provider.environment().items() if key != variable}
        use(monkeypatch, there)
        channel = create(name, provider.config, outbox_dir=tmp_path, env_file=tmp_path / ".env")
        with pytest.raises(EnvironmentFault) as fault:
            run(channel.open())
        sentence = str(fault.value)
        assert variable in sentence
        assert ".env" in sentence
        assert "\n" not in sentence
        assert SECRET not in sentence


def test_settings_are_read_from_the_env_file(
    name: str, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    env_file = tmp_path / ".env"
    lines = [f"{variable}='{value}'" for variable, value in provider.environment().items()]
    env_file.write_text("\n".join(["SOMETHING_ELSE=1", *lines]), encoding="utf-8")
    channel = create(name, provider.config, outbox_dir=tmp_path, env_file=env_file)
    assert channel.settings.transport == provider.transport
    channel.check()


def test_an_impossible_setting_is_named_without_its_value(
    name: str, tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {f"TIDINGS_{name.upper()}_CONCURRENCY": SECRET})
    with pytest.raises(EnvironmentFault) as fault:
        create(name, provider.config, outbox_dir=tmp_path)
    assert f"TIDINGS_{name.upper()}_CONCURRENCY" in str(fault.value)
    assert SECRET not in str(fault.value)


def test_an_unknown_key_in_the_program_is_an_error(
    name: str, provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, {})
    with pytest.raises(UserError, match=rf"channels\.{name}\.sendr"):
        create(name, {**provider.config, "sendr": 1}, outbox_dir=tmp_path)


def test_no_secret_text_or_address_is_in_any_outcome_log_or_repr_whatever_fails(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    channel = connected(name, provider, monkeypatch)
    batch = [outgoing(provider.address(verdict), provider.parts) for verdict in answered(provider)]
    outcomes = send(channel, batch)
    provider.close()
    outcomes |= send(channel, [replace(batch[0], key="nobody there")])
    composed = channel.compose(batch[0])
    # The SMTP server is a part of this process, and says what it hears.
    ours = [record for record in caplog.records if not record.name.startswith("mail.")]
    logged = "\n".join(caplog.handler.format(record) for record in ours)
    shown = f"{outcomes!r} {channel.settings!r} {channel.config!r} {batch!r} {composed!r} {logged}"
    assert SECRET not in shown
    assert quote(SECRET) not in shown
    assert b64encode(SECRET.encode()).decode().rstrip("=") not in shown
    for text in provider.parts.values():
        assert text not in shown
    for message in batch:
        assert message.to not in logged
        assert message.to not in repr(outcomes[message.key])
        assert message.to not in repr(message).replace(message.key, "")


def test_one_poisoned_message_is_set_aside_and_the_others_leave(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)
    good = [outgoing(provider.address("accept", number), provider.parts) for number in range(5)]
    poisoned = [
        outgoing(provider.address("accept", 7), {}, key="no text"),
        outgoing("x@y\r\nRCPT TO:<z@y>", provider.parts, key="no address"),
        replace(
            good[0],
            key="lone surrogate",
            parts={part: f"{text}\ud83d" for part, text in provider.parts.items()},
        ),
    ]
    outcomes = send(channel, [good[0], *poisoned, *good[1:]])
    for message in poisoned:
        outcome = outcomes[message.key]
        assert isinstance(outcome, Failed)
        assert outcome.kind == "permanent"
    assert all(isinstance(outcomes[message.key], Accepted) for message in good)
    if name in carried():
        assert sorted(provider.accepted) == sorted(message.to for message in good)


@across_the_network
def test_what_may_be_tried_again_is_told_from_what_may_not(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)

    def outcome(verdict: str) -> Outcome:
        return outcomes[f"m-{verdict}"]

    said = answered(provider)
    outcomes = send(channel, [outgoing(provider.address(v), provider.parts, key=f"m-{v}") for v in said])
    permanent, temporary = outcome("permanent"), outcome("temporary")
    assert isinstance(outcome("accept"), Accepted)
    assert isinstance(permanent, Failed)
    assert (permanent.kind, permanent.address) == ("permanent", None)
    assert isinstance(temporary, Failed)
    assert (temporary.kind, temporary.address) == ("temporary", None)
    # Who says when to come again is heard.
    assert temporary.retry_after in (None, 7.0)
    if "dead" in said:
        dead = outcome("dead")
        assert isinstance(dead, Failed)
        assert (dead.kind, dead.address) == ("permanent", "dead")
    assert isinstance(outcome("drop"), Unknown)


def test_reasons_are_words_and_details_are_codes(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)
    batch = [outgoing(provider.address(verdict), provider.parts) for verdict in answered(provider)]
    outcomes = send(channel, [*batch, outgoing(provider.address("accept"), {}, key="no text")])
    troubles = [outcome for outcome in outcomes.values() if not isinstance(outcome, Accepted)]
    assert troubles
    for trouble in troubles:
        assert REASON.fullmatch(trouble.reason)
        assert DETAIL.fullmatch(trouble.detail)


def test_a_channel_may_be_opened_and_closed_twice_and_opened_again(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)

    async def again() -> list[Outcome]:
        found: list[Outcome] = []
        for number in range(2):
            await channel.open()
            await channel.open()
            message = outgoing(provider.address("accept", number), provider.parts)
            found += (await outcomes_of(channel, [message])).values()
            await channel.close()
            await channel.close()
        return found

    assert all(isinstance(outcome, Accepted) for outcome in run(again()))


def test_each_accepted_message_has_the_providers_own_name(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)
    outcomes = send(channel, [outgoing(provider.address("accept", n), provider.parts) for n in range(3)])
    names = {outcome.provider_id for outcome in outcomes.values() if isinstance(outcome, Accepted)}
    assert len(names) == 3


@across_the_network
def test_a_message_on_its_way_when_the_batch_is_cancelled_is_unknown_and_the_rest_certainly_did_not_leave(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_at_a_time = {f"TIDINGS_{name.upper()}_CONCURRENCY": "1"}
    channel = connected(name, provider, monkeypatch, **one_at_a_time)
    batch = [
        outgoing(provider.address("accept"), provider.parts, key="before"),
        outgoing(provider.address("hang"), provider.parts, key="on its way"),
        outgoing(provider.address("accept", 1), provider.parts, key="after"),
    ]
    outcomes: dict[str, Outcome] = {}

    async def cancelled_in_flight() -> None:
        async with channel:
            sending = asyncio.create_task(channel.send(batch, outcomes.__setitem__))
            await asyncio.to_thread(provider.wait_until_hanging)
            sending.cancel()
            with pytest.raises(asyncio.CancelledError):
                await sending

    run(cancelled_in_flight())
    assert isinstance(outcomes["before"], Accepted)
    assert outcomes["on its way"] == Unknown("interrupted")
    assert outcomes["after"] == Failed("temporary", "not_begun")
    assert provider.accepted == [batch[0].to]


@across_the_network
def test_a_channel_sends_again_after_a_cancelled_batch(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)

    async def twice() -> dict[str, Outcome]:
        async with channel:
            hanging = [outgoing(provider.address("hang"), provider.parts)]
            sending = asyncio.create_task(channel.send(hanging, lambda *_: None))
            await asyncio.to_thread(provider.wait_until_hanging)
            sending.cancel()
            await asyncio.wait([sending])
            return await outcomes_of(
                channel, [outgoing(provider.address("accept"), provider.parts, key="later")]
            )

    assert isinstance(run(twice())["later"], Accepted)


@across_the_network
def test_a_provider_that_is_not_there_is_a_temporary_failure_of_all(
    name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = connected(name, provider, monkeypatch)
    provider.close()
    outcomes = send(channel, [outgoing(provider.address("accept", n), provider.parts) for n in range(20)])
    assert set(outcomes.values()) == {Failed("temporary", "cannot_connect")}


def test_a_batch_may_be_empty(name: str, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    assert send(connected(name, provider, monkeypatch), []) == {}
