"""Settings from the environment and .env, each value in the variable itself or in a file that it names.

Docker and Kubernetes hand secrets over as files: `TIDINGS_SECRET_FILE=/run/secrets/secret` stands for
`TIDINGS_SECRET` and what is in that file.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from pydantic_settings.sources import DotEnvSettingsSource, EnvSettingsSource

from core.errors import EnvironmentFault

ENDING = "_file"


class Environment(BaseSettings):
    """The environment goes before .env, and in each of them a variable before the file of its namesake."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - one way to name files is enough
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Where values come from, the first that has one wins."""
        named, named_in_dotenv = (NamedFiles(settings_cls, it) for it in (env_settings, dotenv_settings))
        return init_settings, env_settings, named, dotenv_settings, named_in_dotenv


class NamedFiles(PydanticBaseSettingsSource):
    """Values from files: of the variables of another source, those that end in `_FILE`."""

    def __init__(self, settings_cls: type[BaseSettings], beside: PydanticBaseSettingsSource) -> None:
        super().__init__(settings_cls)
        assert isinstance(beside, EnvSettingsSource), "the environment and .env are both read by variables"
        self._given = beside.env_vars
        dotenv = beside.env_file if isinstance(beside, DotEnvSettingsSource) else None
        self._folder = Path(dotenv).parent if isinstance(dotenv, str | Path) else Path()

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """The content of the file that is named for a field, without white space around it."""
        path = self._given.get(variable(self.settings_cls, field_name).lower() + ENDING)
        return (
            (_content(self._folder / path, self.settings_cls, field_name) if path else None),
            field_name,
            False,
        )

    def __call__(self) -> dict[str, Any]:
        """Every field that a file is named for. EnvironmentFault for one that cannot be read."""
        values = {name: self.get_field_value(field, name)[0] for name, field in self._fields()}
        return {name: value for name, value in values.items() if value}

    def _fields(self) -> Iterator[tuple[str, FieldInfo]]:
        """Some settings are a file's name by themselves: those have a say of their own."""
        fields: Mapping[str, FieldInfo] = self.settings_cls.model_fields
        return ((name, field) for name, field in fields.items() if f"{name}{ENDING}" not in fields)


def variable(settings: type[BaseSettings], name: str) -> str:
    """The environment variable behind a setting: `password` is TIDINGS_EMAIL_PASSWORD."""
    return f"{settings.model_config.get('env_prefix', '')}{name}".upper()


def _content(path: Path, settings: type[BaseSettings], name: str) -> str:
    said = f"{variable(settings, name)}{ENDING.upper()} names {path}, which"
    try:
        return path.read_text("utf-8").strip()
    except UnicodeDecodeError:
        raise EnvironmentFault(f"{said} is no text; put the value there as text in UTF-8") from None
    except OSError as error:
        raise EnvironmentFault(
            f"{said} cannot be read ({error.strerror}); put the value there, or correct the variable"
        ) from None
