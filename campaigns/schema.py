"""JSON Schemas of the files, so that an editor completes and underlines them."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from campaigns.fields import ATTRIBUTE, COMPARISONS, FIELDS, MOMENTS, Field
from campaigns.ruletest import RuleTestFile
from campaigns.scenario import ScenarioFile, TriggerLike
from campaigns.scenariotest import ScenarioTestFile
from core.program import Program
from core.source import load

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_LENGTH = {"type": "string", "pattern": r"^\d+ (day|week|hour|minute|second)s?$", "examples": ["30 days"]}
_TEXT = {"type": "string"}
_AUDIENCE = {"$ref": "#/$defs/audience"}


def program_schema(channels: Mapping[str, type[BaseModel]] | None = None) -> Schema:
    """The schema of program.yaml; `channels` are the models of what stands under each channel's name."""
    schema = _base(Program, "Tidings: program.yaml")
    if channels is not None:
        configs = {name: _inlined(config, schema) for name, config in channels.items()}
        schema["properties"]["channels"] = {
            "type": "object",
            "properties": configs,
            "additionalProperties": False,
        }
    return schema


def scenario_schema(triggers: Mapping[str, TriggerLike]) -> Schema:
    """The schema of scenarios/*.yaml, with every trigger and its parameters."""
    schema = _base(ScenarioFile, "Tidings: a scenario")
    parameters = {name: _trigger(trigger, schema) for name, trigger in triggers.items()}
    schema["properties"]["when"] = {
        "type": "object",
        "description": "Exactly one trigger.",
        "properties": parameters,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    schema["properties"]["audience"] = _AUDIENCE
    schema["$defs"]["audience"] = _audience()
    return schema


def segment_schema() -> Schema:
    """The schema of segments/*.yaml."""
    audience = _audience()
    properties = {"about": _TEXT, **audience["properties"]}
    defs = {"audience": audience}
    return {
        "$schema": DIALECT,
        "title": "Tidings: a segment",
        **audience,
        "properties": properties,
        "$defs": defs,
    }


def scenario_test_schema() -> Schema:
    """The schema of tests/*.yaml."""
    return _base(ScenarioTestFile, "Tidings: a scenario test")


def rule_test_schema() -> Schema:
    """The schema of tests/*.yaml that test rules of the program."""
    return _base(RuleTestFile, "Tidings: a test of rules")


def _base(model: type[BaseModel], title: str) -> Schema:
    schema = {"$schema": DIALECT, **model.model_json_schema(by_alias=True), "title": title}
    schema.setdefault("$defs", {})
    _read_examples(schema)
    return schema


def _read_examples(schema: Any) -> None:
    """Examples are written as a person writes them; an editor wants `[sms]` as a list, not as a text."""
    if isinstance(schema, dict):
        if isinstance(schema.get("examples"), list):
            schema["examples"] = [_as_data(example) for example in schema["examples"]]
        for part in schema.values():
            _read_examples(part)
    elif isinstance(schema, list):
        for part in schema:
            _read_examples(part)


def _as_data(example: Any) -> Any:
    if not isinstance(example, str) or not example.startswith(("[", "{")):
        return example
    document = load(f"example: {example}", "", [])
    return document.data["example"] if document else example


def _inlined(model: type[BaseModel], schema: Schema) -> Schema:
    """The model's own schema, its definitions moved to those of the whole."""
    own = model.model_json_schema(by_alias=True)
    schema["$defs"].update(own.pop("$defs", {}))
    return own


def _trigger(trigger: TriggerLike, schema: Schema) -> Schema:
    own = _inlined(trigger.Parameters, schema)
    about = (type(trigger).__doc__ or "").strip().partition("\n")[0]
    if about:
        own["description"] = about
    own.pop("title", None)
    # `when: {birthday: }` is a trigger with nothing to say.
    return own if own.get("required") else {"anyOf": [own, {"type": "null"}]}


def _audience() -> Schema:
    branches = {"type": "array", "items": _AUDIENCE, "minItems": 1}
    properties: Schema = {name: _field(field) for name, field in FIELDS.items()}
    properties["any"] = {**branches, "description": "At least one of them."}
    properties["all"] = {**branches, "description": "Every one of them."}
    properties["not"] = {"anyOf": [_AUDIENCE, branches], "description": "None of it."}
    attributes = {r"^attributes\..+": _field(ATTRIBUTE)}
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": attributes,
        "additionalProperties": False,
    }


def _field(field: Field) -> Schema:
    options: list[Schema] = []
    if field.equality:
        value = _value(field)
        options += [value, {"type": "array", "items": value, "minItems": 1}]
    if field.keys:
        properties = {key: _operand(key) for key in field.keys}
        options.append(
            {"type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1}
        )
    return {"description": f"{field.about} For example `{field.example}`.", "anyOf": options}


def _value(field: Field) -> Schema:
    if field.kind == "anything":
        return {"type": ["string", "number", "boolean"]}
    return {"type": "number"} if field.kind == "number" else _TEXT


def _operand(key: str) -> Schema:
    if key == "between":
        return {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    if key in COMPARISONS:
        return {"type": "number"}
    if key in MOMENTS:
        return _LENGTH
    return (
        _TEXT if key == "contains" else {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]}
    )
