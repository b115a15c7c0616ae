"""What an engineer sets in the environment or the workspace's .env."""

from pathlib import Path

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from core.environment import ENDING, Environment, variable
from core.errors import EnvironmentFault, Problem
from core.explain import one_of, suggest
from core.program.words import PublicAddress

LEVELS = ("debug", "info", "warning", "error")


class Settings(Environment):
    """`TIDINGS_…`; an empty value is none. Channels and wallets have settings of their own beside these."""

    model_config = SettingsConfigDict(
        env_prefix="TIDINGS_", extra="ignore", env_ignore_empty=True, hide_input_in_errors=True, frozen=True
    )

    database: str = Field(
        default="", description="sqlite:///file or postgresql://…; tidings.db beside program.yaml"
    )
    secret: SecretStr | None = Field(
        default=None,
        description="Keys digests of addresses, and signs links unless they have keys of their own; never "
        "change it",
    )
    link_keys: SecretStr | None = Field(
        default=None,
        description="Keys that sign customers' links, the newest first, with commas between; links of all of "
        "them are good. `secret` stands for TIDINGS_SECRET. Written by `tidings keys rotate-links`",
    )
    api_token: SecretStr | None = Field(
        default=None, description="A key of the API that may do everything; `tidings keys` makes others"
    )
    public_url: PublicAddress = Field(
        default="", description="Where customers' links point to; program.yaml's public_url if empty"
    )
    outbox: str = Field(
        default="outbox", description="Where the folder transports write, below the workspace"
    )
    log_level: str = Field(default="warning", description="debug, info, warning or error")

    @field_validator("database")
    @classmethod
    def _readable(cls, url: str) -> str:
        """What follows an @ of the password would be taken for the server's name, and said aloud as one."""
        place, _, _ = url.partition("?")
        kind, _, rest = place.partition("://")
        if kind.startswith("postgresql") and rest.count("@") > 1:
            raise ValueError("write an @ in the user's name or password as %40")
        return url

    @field_validator("log_level")
    @classmethod
    def _known(cls, level: str) -> str:
        if level.lower() not in LEVELS:
            raise ValueError(f"must be {one_of(LEVELS)}")
        return level.lower()


def read_settings(workspace: Path) -> Settings:
    """The environment first, then the workspace's .env.

    EnvironmentFault names every variable that has an impossible value, and what it may be.
    """
    try:
        return Settings(_env_file=workspace / ".env")
    except ValidationError as error:
        found = "; ".join(
            f"TIDINGS_{str(it['loc'][0]).upper()}: {it['msg'].removeprefix('Value error, ')}"
            for it in error.errors()
        )
        raise EnvironmentFault(f"{found}; correct it in the environment or in {workspace / '.env'}") from None
    except UnicodeDecodeError:
        raise EnvironmentFault(f"{workspace / '.env'} is no text in UTF-8; write it anew as such") from None


def known_variables() -> dict[str, type[BaseSettings]]:
    """Every variable that something reads, with the settings that it belongs to."""
    from channels import discover
    from wallet.apple.settings import AppleSettings
    from wallet.google.settings import GoogleSettings

    kinds: list[type[BaseSettings]] = [Settings, AppleSettings, GoogleSettings]
    kinds += [channel.Settings for channel in discover().values()]
    known: dict[str, type[BaseSettings]] = {"TIDINGS_WORKSPACE": Settings}
    for kind in kinds:
        known |= {variable(kind, name): kind for name in kind.model_fields}
    return known


def misspelt(env_file: Path) -> list[Problem]:
    """Variables in .env that nothing reads: a misspelt one would be ignored in silence."""
    if not env_file.is_file():
        return []
    known = known_variables()
    known |= {f"{name}{ENDING.upper()}": kind for name, kind in known.items()}
    problems = []
    for number, line in enumerate(env_file.read_text("utf-8", errors="replace").splitlines(), start=1):
        name = line.split("=", 1)[0].removeprefix("export ").strip().upper()
        if "=" in line and name.startswith("TIDINGS_") and name not in known:
            problems.append(Problem(env_file.name, number, 1, name, "no such setting", suggest(name, known)))
    return problems
