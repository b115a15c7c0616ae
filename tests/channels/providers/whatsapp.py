"""Speaks Twilio's Messages resource to `whatsapp:` addresses."""

from collections.abc import Mapping

from tests.channels.providers.base import SECRET, Provider, Verdict
from tests.channels.providers.sms import ACCOUNT, Messages, number_of

CONTENT = "HX0123456789abcdef0123456789abcdef"


class Server(Messages, Provider):
    transport = "twilio"
    config = {"sender": "+380441234567", "tariff": {"UA": 1.20}}
    parts = {
        "content_sid": CONTENT,
        "variables.1": "Олена",
        "variables.2": "500 бонусів",
        "text": "Привіт, Олена! У вас 500 бонусів.",
    }
    credentials = ("TIDINGS_WHATSAPP_ACCOUNT_SID", "TIDINGS_WHATSAPP_AUTH_TOKEN")

    def environment(self) -> Mapping[str, str]:
        return {
            "TIDINGS_WHATSAPP_TRANSPORT": "twilio",
            "TIDINGS_WHATSAPP_ACCOUNT_SID": ACCOUNT,
            "TIDINGS_WHATSAPP_AUTH_TOKEN": SECRET,
            "TIDINGS_WHATSAPP_BASE_URL": self.url,
        }

    def address(self, verdict: Verdict, number: int = 0) -> str:
        return number_of(verdict, number)
