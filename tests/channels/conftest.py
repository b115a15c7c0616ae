"""Providers on this machine, stopped after each test."""

from collections.abc import Iterator

import pytest

from tests.channels.providers import email, push, sms


@pytest.fixture
def smtp() -> Iterator[email.Server]:
    server = email.Server()
    yield server
    server.close()


@pytest.fixture
def twilio() -> Iterator[sms.Server]:
    server = sms.Server()
    yield server
    server.close()


@pytest.fixture
def fcm() -> Iterator[push.Server]:
    server = push.Server()
    yield server
    server.close()
