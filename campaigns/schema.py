"""JSON Schemas of the files, so that an editor completes and underlines them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from campaigns.audience.json_schema import REFERENCE, audience_schema
from campaigns.hints import CARD, RULE_TEST, SCENARIO, SCENARIO_TEST, SEGMENT
from campaigns.hints_program import PROGRAM
from campaigns.ruletest import RuleTestFile
from campaigns.scenario import ScenarioFile, TriggerLike
from campaigns.scenariotest import ScenarioTestFile
from core.program import Program
from core.source import load
from wallet.design import Card

Schema = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def program_schema(channels: Mapping[str, type[BaseModel]] | None = None) -> Schema:
    """The schema of program.yaml; `channels` are the models of what stands under each channel's name."""
    schema = _base(Program, "Tidings: program.yaml", PROGRAM)
    if channels is not None:
        configs = {name: _or_nothing(_inlined(config, schema)) for name, config in channels.items()}
        schema["properties"]["channels"] |= {"properties": configs, "additionalProperties": False}
    return schema


def scenario_schema(triggers: Mapping[str, TriggerLike], channels: Iterable[str] = ()) -> Schema:
    """The schema of scenarios/*.yaml, with every trigger and its parameters, and the channels that exist."""
    schema = _base(ScenarioFile, "Tidings: a scenario", SCENARIO)
    properties, step = schema["properties"], schema["$defs"]["Step"]["properties"]
    parameters = {name: _trigger(trigger, schema) for name, trigger in triggers.items()}
    properties["when"] |= {
        "type": "object",
        "properties": parameters,
        "additionalProperties": False,
        "minProperties": 1,
        "maxProperties": 1,
    }
    properties["audience"] = {"description": properties["audience"]["description"], **REFERENCE}
    schema["$defs"]["audience"] = audience_schema()
    for key in ("unless", "only_if"):
        step[key]["anyOf"] = _one_or_list({"anyOf": [{"const": "purchase"}, REFERENCE]})
    if known := sorted(channels):
        step["send"]["anyOf"] = _one_or_list({"enum": known})
    return schema


def segment_schema() -> Schema:
    """The schema of segments/*.yaml."""
    audience = audience_schema()
    about = {"type": "string", "description": SEGMENT[".about"]}
    return {
        "$schema": DIALECT,
        "title": "Tidings: a segment",
        **audience,
        "properties": {"about": about, **audience["properties"]},
        "$defs": {"audience": audience},
    }


def card_schema() -> Schema:
    """The schema of cards/*.yaml."""
    return _base(Card, "Tidings: a card", CARD)


def scenario_test_schema() -> Schema:
    """The schema of tests/*.yaml that test a scenario."""
    return _base(ScenarioTestFile, "Tidings: a scenario test", SCENARIO_TEST)


def rule_test_schema() -> Schema:
    """The schema of tests/*.yaml that test rules of the program."""
    return _base(RuleTestFile, "Tidings: a test of rules", RULE_TEST)


def any_test_schema() -> Schema:
    """The schema of tests/*.yaml: of rules where a rule is named, else of a scenario."""
    rule, scenario = _renamed(rule_test_schema(), "Rule"), _renamed(scenario_test_schema(), "Scenario")
    defs = {**rule.pop("$defs"), **scenario.pop("$defs")}
    names_a_rule = {"anyOf": [{"required": ["rule"]}, {"required": ["rules"]}]}
    return {
        "$schema": DIALECT,
        "title": "Tidings: a test",
        "type": "object",
        "if": names_a_rule,
        "then": {key: rule[key] for key in rule if key != "$schema"},
        "else": {key: scenario[key] for key in scenario if key != "$schema"},
        "$defs": defs,
    }


def fixture_schema() -> Schema:
    """The schema of tests/fixtures/*.yaml: a customer a key."""
    return {
        "$schema": DIALECT,
        "title": "Tidings: customers of tests",
        "type": "object",
        "additionalProperties": {"$ref": "#/$defs/Person"},
        "$defs": scenario_test_schema()["$defs"],
    }


def _renamed(schema: Schema, prefix: str) -> Schema:
    """The same with other names of its definitions, so that two schemas fit into one."""
    text = json.dumps(schema).replace('"#/$defs/', f'"#/$defs/{prefix}')
    renamed: Schema = json.loads(text)
    return {**renamed, "$defs": {f"{prefix}{name}": each for name, each in renamed["$defs"].items()}}


def _base(model: type[BaseModel], title: str, hints: Mapping[str, str]) -> Schema:
    schema = {"$schema": DIALECT, **model.model_json_schema(by_alias=True), "title": title}
    schema.setdefault("$defs", {})
    _describe("", schema, hints)
    for name, definition in schema["$defs"].items():
        _describe(name, definition, hints)
    _read_examples(schema)
    return schema


def _describe(model: str, schema: Schema, hints: Mapping[str, str]) -> None:
    """Tell what each key is; what a model says of its own key stays."""
    for key, value in schema.get("properties", {}).items():
        # Pydantic repeats the key as a title, which an editor would show in place of the description.
        value.pop("title", None)
        # Nor should it write `wait: null`, or `about: ''`, where nobody wants to write anything.
        if value.get("default", 0) in (None, "", [], {}):
            value.pop("default")
        shown = [example for option in value.get("anyOf", []) for example in option.get("examples", [])]
        if shown:
            value.setdefault("examples", shown)
        if about := hints.get(f"{model}.{key}"):
            value["description"] = about


def _one_or_list(value: Schema) -> list[Schema]:
    return [value, {"type": "array", "items": value, "minItems": 1}]


def _or_nothing(schema: Schema) -> Schema:
    """A mapping that may be left empty (`push:`) where nothing in it must be there."""
    if schema.get("required"):
        return schema
    about = {"description": schema["description"]} if "description" in schema else {}
    return {**about, "anyOf": [schema, {"type": "null"}]}


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
    about = " ".join((type(trigger).__doc__ or "").strip().partition("\n\n")[0].split())
    own.pop("title", None)
    _describe(trigger.name, own, {})
    # `when: {birthday: }` is a trigger with nothing to say.
    return {**_or_nothing(own), "description": about}
