"""Providers on this machine, stopped after each test."""

from collections.abc import Iterator

import pytest

from tests.channels.providers import email, push, sms, webhook


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


@pytest.fixture(name="webhook")
def retailer() -> Iterator[webhook.Server]:
    server = webhook.Server()
    yield server
    server.close()
