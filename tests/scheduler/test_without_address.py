"""Channels that need no address: everybody who agreed is reached, by the retailer's own system."""

from datetime import timedelta

import pytest

from channels.webhook import id_of
from tests.channels.providers import webhook
from tests.channels.providers.http import Answer
from tests.scheduler.kiosk import Kiosk

TEXT = """---
title: Bonuses
data:
  bonuses: "{{ trigger.expiring }}"
---
{{ trigger.expiring | points }}
"""


@pytest.fixture
def retailer(kiosk: Kiosk) -> webhook.Server:
    """The retailer's system, and a scenario that speaks through it; the kiosk closes it."""
    server = webhook.Server()
    kiosk.servers["webhook"], kiosk.environments["webhook"] = server, server.environment()
    kiosk.files["messages/hello/webhook.txt"] = TEXT
    kiosk.files["program.yaml"] += "  webhook: {}\n"
    kiosk.scenario(send="[webhook, sms]")
    return server


def test_who_agreed_is_reached_without_any_address(kiosk: Kiosk, retailer: webhook.Server) -> None:
    kiosk.customers({"anna": {"consented": ["webhook"]}, "ihor": {"consented": ["sms"]}})
    kiosk.plan()
    kiosk.deliver()
    row = kiosk.message("anna")
    assert (row.state, row.channel) == ("sent", "webhook")
    [told] = retailer.told
    assert told["id"] == row.provider_id == id_of(f"{row.enrolment_id}.anna.{row.id}")
    assert told["data"].pop("unsubscribe_url") == kiosk.links.unsubscribe(kiosk.ids["anna"], "webhook")
    assert told["data"] == {
        "customer": "anna", "scenario": "reminder", "step": "first", "occasion": row.occasion,
        "purpose": "marketing", "locale": "en", "title": "Bonuses", "text": "500 bonuses",
        "data": {"bonuses": "500"},
    }  # fmt: skip
    assert kiosk.states() == {"sent": 1}
    assert kiosk.verdict("ihor")[0] == "unreachable"


def test_consent_is_asked_again_before_it_leaves(kiosk: Kiosk, retailer: webhook.Server) -> None:
    kiosk.customer("anna", consented=["webhook"])
    kiosk.plan()
    kiosk.withdraw("anna", "webhook")
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "no_consent")
    assert retailer.requests == []


def test_what_the_retailers_system_may_have_taken_is_sent_again_as_the_same_message(
    kiosk: Kiosk, retailer: webhook.Server
) -> None:
    kiosk.customer("anna", consented=["webhook"])
    kiosk.plan()
    retailer.next = [Answer(500), Answer(0)]
    for _ in range(3):
        kiosk.deliver()
        kiosk.clock.move_by(timedelta(hours=1))
    assert kiosk.state("anna") == ("sent", None)
    assert len(retailer.requests) == 3
    assert len({request.headers["webhook-id"] for request in retailer.requests}) == 1


def test_a_wrong_key_stops_the_channel_and_no_message_is_lost(kiosk: Kiosk, retailer: webhook.Server) -> None:
    kiosk.customers({f"c{number}": {"consented": ["webhook"]} for number in range(20)})
    kiosk.plan()
    retailer.key = f"whsec_{'A' * 32}"
    kiosk.deliver()
    assert kiosk.states() == {"planned": 20}
    assert len(retailer.requests) < 20
    retailer.key = webhook.KEY
    kiosk.clock.move_by(timedelta(minutes=5))
    kiosk.deliver()
    assert kiosk.states() == {"sent": 20}


def test_a_failed_message_goes_on_to_the_next_channel_that_is_open(
    kiosk: Kiosk, retailer: webhook.Server
) -> None:
    kiosk.customer("anna", consented=["webhook", "sms"], phone="+380501000000")
    kiosk.plan()
    retailer.next = [Answer(422)]
    kiosk.deliver()
    row = kiosk.message("anna")
    assert (row.state, row.channel) == ("sent", "sms")
