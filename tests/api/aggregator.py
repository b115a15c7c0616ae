"""A shop whose SMS leave by an aggregator that knows a secret."""

from typing import Any

from campaigns.running import Running
from tests.api.shop import Shop
from tests.support.world import ready

PHONE = "+380501234567"
SECRET = "a secret of sixteen letters or more"


def describe(shop: Shop, **told: Any) -> Shop:
    """The aggregator tells us `told`: `reports` or `inbound`, as program.yaml writes them."""
    http = {
        "url": "https://sms.example/send", "json": {"to": "{to}", "text": "{text}"},
        "answer": {"id": "id"}, **told,
    }  # fmt: skip
    running = ready({}, {"channels": {"sms": {"sender": "Kavarnia", "http": http}}})
    shop.services.workspace.live._ready = {1: Running(running.loaded, 1)}
    return shop


def reached_by_sms(shop: Shop) -> Shop:
    """The secret is set, and a customer agrees to SMS."""
    environment = shop.services.workspace.env_file
    environment.write_text(f"{environment.read_text()}TIDINGS_SMS_HTTP_REPORTS_SECRET={SECRET}\n")
    shop.register(locale="uk", phone=PHONE)
    shop.consent("sms")
    return shop
