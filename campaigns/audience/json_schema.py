"""The JSON Schema of an audience, made from the table of fields: an editor completes and underlines by it."""

from typing import Any

from campaigns.fields import ATTRIBUTE, FIELDS, MEANINGS, NARROWING, Field

Schema = dict[str, Any]

REFERENCE: Schema = {"$ref": "#/$defs/audience"}
_TEXT: Schema = {"type": "string"}
_DAY: Schema = {"type": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$", "examples": ["2026-03-15"]}
_LENGTH: Schema = {
    "type": "string",
    "pattern": r"^\d+ (day|week|hour|minute|second)s?$",
    "examples": ["30 days"],
}
_PERCENT: Schema = {"type": "string", "pattern": r"^\d+(\.\d+)? ?%$", "examples": ["10%"]}


def audience_schema() -> Schema:
    """A mapping of fields; the schema that holds it has it in its `$defs` as `audience`."""
    branches = {"type": "array", "items": REFERENCE, "minItems": 1}
    properties: Schema = {name: _field(field) for name, field in FIELDS.items()}
    properties["any"] = {**branches, "description": "At least one of them."}
    properties["all"] = {**branches, "description": "Every one of them."}
    properties["not"] = {"anyOf": [REFERENCE, branches], "description": "None of it."}
    return {
        "type": "object",
        "properties": properties,
        "patternProperties": {r"^attributes\..+": _field(ATTRIBUTE)},
        "additionalProperties": False,
    }


def _field(field: Field) -> Schema:
    options = _one_or_list(_value(field)) if field.equality else []
    if field.keys:
        options.append(_mapping(field))
    return {"description": f"{field.about} For example `{field.example}`.", "anyOf": options}


def _mapping(field: Field) -> Schema:
    properties = {key: _operand(field, key) for key in (*field.operators, *field.narrowing)}
    properties |= {part.name: _field(field.part(part.name)) for part in field.parts}
    schema = {
        "type": "object", "properties": properties, "additionalProperties": False, "minProperties": 1,
    }  # fmt: skip
    if not field.needs:
        return schema
    return {**schema, "anyOf": [{"required": [key]} for key in field.needs]}


def _one_or_list(value: Schema) -> list[Schema]:
    return [value, {"type": "array", "items": value, "minItems": 1}]


def _value(field: Field) -> Schema:
    match field.kind:
        case "number":
            return _number(field)
        case "anything":
            return {"type": ["string", "number", "boolean"]}
        case "choice":
            return {"enum": list(field.choices)}
        case "flag":
            return {"type": "boolean"}
        case "percent":
            return _PERCENT
        case _:
            return _TEXT


def _number(field: Field) -> Schema:
    schema: Schema = {"type": "integer" if field.unit == "count" else "number"}
    if field.bounds:
        schema |= {"minimum": field.bounds[0], "maximum": field.bounds[1]}
    return schema


def _operand(field: Field, key: str) -> Schema:
    return {**_operand_shape(field, key), "description": (MEANINGS | NARROWING)[key]}


def _operand_shape(field: Field, key: str) -> Schema:
    if key == "between":
        item = _DAY if field.kind == "moment" else _number(field)
        return {"type": "array", "items": item, "minItems": 2, "maxItems": 2}
    if key == "before":
        return {"anyOf": [_LENGTH, _DAY]}
    if key == "within":
        return _LENGTH
    if key in field.narrowing:
        return {"anyOf": _one_or_list(_TEXT)}
    return _TEXT if key == "contains" or field.refers else _number(field)
