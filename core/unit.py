"""The base of the words of the language: a value written as one piece of text."""

from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from core.explain import expected


class Unit:
    """A value that is written as one piece of text. Subclasses say what they are and give an example."""

    called: ClassVar[str]
    example: ClassVar[str]
    pattern: ClassVar[str]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the text; ValueError (or a complaint) when it is not one."""
        raise ValueError(text)

    @classmethod
    def read(cls, value: object) -> Self:
        """The value as it stands in a file or in Python; complains in plain words."""
        if isinstance(value, cls):
            return value
        try:
            if isinstance(value, str):
                return cls.parse(value.strip())
        except PydanticCustomError:
            raise
        except ValueError:
            pass
        meant = cls.meant(value)
        raise expected(
            cls.called, value, f"write '{meant}'" if meant else f"write for example '{cls.example}'"
        )

    @classmethod
    def meant(cls, value: object) -> str:  # noqa: ARG003 - for those that know
        """What was probably meant by a value that is none; empty if nobody can tell."""
        return ""

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """How pydantic reads and writes it."""
        return core_schema.no_info_plain_validator_function(
            cls.read, serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        """What an editor is told."""
        return {
            "type": "string",
            "pattern": cls.pattern,
            "description": cls.called,
            "examples": [cls.example],
        }
