"""The Twilio account in .env, for each channel that sends by it."""

from pydantic import Field, SecretStr

from channels.settings import ChannelSettings, OneLine


class TwilioSettings(ChannelSettings):
    """What Twilio's console gives: the account, its token, and what it calls us back with."""

    account_sid: OneLine | None = Field(default=None, description="AC…, from the Twilio console.")
    auth_token: SecretStr | None = Field(default=None, description="From the Twilio console.")
    messaging_service_sid: str | None = Field(
        default=None, description="MG…; picks the sender instead of `sender`."
    )
    status_callback: str | None = Field(
        default=None, description="Public URL to which the provider reports delivery."
    )
    webhook_key: SecretStr | None = Field(
        default=None, description="The shared key that Twilio signs its calls with, where you made one."
    )
    base_url: str = Field(default="https://api.twilio.com", description="Only for tests and proxies.")

    @property
    def is_called_back(self) -> bool:
        """Whether Twilio tells how messages fare: to our address, or to one that the service has there."""
        return bool(self.status_callback or self.messaging_service_sid)
