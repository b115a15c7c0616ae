"""What a marketer sets in program.yaml (`ChannelConfig`), and an engineer in .env (`ChannelSettings`)."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_settings import SettingsConfigDict

from channels.warm_up import WarmUp
from core.domain_names import ascii_domain
from core.environment import Environment, variable
from core.errors import EnvironmentFault, UserError
from core.units import Rate


class ChannelConfig(BaseModel):
    """What stands under `channels.<name>` in program.yaml; an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    rate: Rate | None = Field(default=None, description="At most so many messages leave: `100 per second`.")
    warm_up: WarmUp | None = Field(
        default=None, description="A new sender's first weeks: so many messages a day, growing."
    )


class ChannelSettings(Environment):
    """What stands in the environment or .env under the channel's prefix; an empty value is none."""

    model_config = SettingsConfigDict(
        extra="ignore",
        env_ignore_empty=True,
        env_file_encoding="utf-8",
        hide_input_in_errors=True,
        frozen=True,
    )

    transport: str = Field(
        default="folder", description="`folder` writes messages into the outbox directory."
    )
    concurrency: int = Field(default=10, ge=1, le=200, description="Messages on their way at one time.")
    timeout: float = Field(
        default=30.0, gt=0, le=600, description="Seconds to wait for the provider's answer."
    )

    @classmethod
    def variable(cls, name: str) -> str:
        """The environment variable behind a setting: `password` is TIDINGS_EMAIL_PASSWORD."""
        return variable(cls, name)

    def unset(self, names: Iterable[str]) -> list[str]:
        """Which of these settings have no value, as environment variables."""
        return [self.variable(name) for name in names if _is_empty(getattr(self, name))]


def _one_line(value: str | SecretStr) -> str | SecretStr:
    if not _text(value).isprintable():
        raise ValueError("a line end or a sign that nobody sees stands in it; copy it anew")
    return value


def _server_name(value: str) -> str:
    try:
        ascii_domain(value)
    except ValueError:
        value = ""
    # A port and a protocol have settings of their own; an IPv6 address has colons, and more than one.
    if not value or not value.isprintable() or set(value) & set(" /") or value.count(":") == 1:
        raise ValueError("this is no name of a server; write it as mail.shop.example")
    return value


OneLine = Annotated[str, AfterValidator(_one_line)]
OneLineSecret = Annotated[SecretStr, AfterValidator(_one_line)]
"""What stands in an address or in a header of a request."""
ServerName = Annotated[str, AfterValidator(_server_name)]

S = TypeVar("S", bound=ChannelSettings)
C = TypeVar("C", bound=ChannelConfig)


def load_settings(settings: type[S], env_file: Path | None) -> S:
    """Read the environment and `env_file`.

    Raises EnvironmentFault naming every variable that has an impossible value, without its value.
    """
    try:
        return settings(_env_file=env_file)
    except ValidationError as error:
        findings = [f"{settings.variable(_path(item['loc']))}: {_what(item)}" for item in _items(error)]
        raise EnvironmentFault(
            f"{_place(env_file)} has a wrong value: {'; '.join(findings)}; correct it there"
        ) from None


def load_config(config: type[C], name: str, given: Mapping[str, Any]) -> C:
    """Read `channels.<name>` of program.yaml. Raises UserError with every finding in it."""
    try:
        return config.model_validate(dict(given))
    except ValidationError as error:
        findings = [f"channels.{name}.{_path(item['loc'])}: {_what(item)}" for item in _items(error)]
        raise UserError(f"program.yaml: {'; '.join(findings)}") from None


def missing(channel: str, transport: str, variables: list[str], env_file: Path | None) -> EnvironmentFault:
    """The one sentence for credentials that are not there."""
    verb, them = ("is", "it") if len(variables) == 1 else ("are", "them")
    return EnvironmentFault(
        f"{' and '.join(variables)} {verb} not set, and the {channel} channel needs {them} to send by "
        f"{transport}; write {them} into {_place(env_file)}"
    )


def _what(item: Any) -> str:
    """The complaint, without the class of the error that brought it."""
    return str(item["msg"]).removeprefix("Value error, ")


def _items(error: ValidationError) -> list[Any]:
    return list(error.errors(include_url=False, include_input=False, include_context=False))


def _path(loc: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in loc)


def _place(env_file: Path | None) -> str:
    return env_file.name if env_file else ".env or the environment"


def _is_empty(value: object) -> bool:
    return value is None or _text(value) == ""


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
