"""What SQLite and PostgreSQL spell differently: types of columns, and functions of SQL."""

import json
import struct
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Dialect,
    Integer,
    Numeric,
    literal_column,
    select,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement, GenericFunction
from sqlalchemy.types import JSON, Boolean, NullType, String, TypeDecorator

try:
    # A look draws for each candidate, and OpenSSL's takes twice as long to begin.
    from _md5 import md5 as _md5  # type: ignore[import-not-found]
except ImportError:
    import hashlib

    _md5 = partial(hashlib.md5, usedforsecurity=False)

_first_32_bits = struct.Struct(">I").unpack_from


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time: `timestamptz` on PostgreSQL, sortable text on SQLite."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        """SQLite has no time type: text that sorts as time does."""
        return dialect.type_descriptor(String(26) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """Refuse naive times: they have no place in the ledger."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"a time without a zone reached the database: {value}")
        if dialect.name == "sqlite":
            return value.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
        return value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """Aware UTC."""
        if value is None:
            return None
        if isinstance(value, str):
            return datetime.fromisoformat(value).replace(tzinfo=UTC)
        return cast(datetime, value).astimezone(UTC)


# SQLite makes only an INTEGER primary key count up by itself.
Id = BigInteger().with_variant(Integer(), "sqlite")
Json = JSON().with_variant(postgresql.JSONB(), "postgresql")


class transaction_id(FunctionElement[int]):  # noqa: N801 - reads as the SQL function that it is
    """The writing transaction's number: commit order can be told from it on PostgreSQL.

    SQLite has one writer at a time, so there row ids are commit order and this is 0.
    """

    type = BigInteger()
    inherit_cache = True


@compiles(transaction_id, "postgresql")
def _transaction_id_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return "(pg_current_xact_id()::text::bigint)"


@compiles(transaction_id, "sqlite")
def _transaction_id_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return "0"


class hash_bucket(GenericFunction[int]):  # noqa: N801
    """The first 32 bits of the MD5 of a text, 0 … 2**32-1: the same on both databases and in Python."""

    type = BigInteger()
    inherit_cache = True
    name = "hash_bucket"


@compiles(hash_bucket, "postgresql")
def _hash_bucket_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    inner = compiler.process(element.clauses, **kw)
    return f"(('x' || substr(md5({inner}), 1, 8))::bit(32)::bigint & 4294967295)"


def bucket_of(value: str) -> int:
    """What `hash_bucket` gives in SQL. MD5 spreads; it guards nothing here."""
    bucket: int = _first_32_bits(_md5(value.encode()).digest())[0]
    return bucket


class json_object(FunctionElement[Any]):  # noqa: N801
    """`json_object(key, value, …)` in SQL, as text that both databases and Python read alike."""

    type = Json
    inherit_cache = True
    name = "json_object"


@compiles(json_object, "postgresql")
def _json_object_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"jsonb_build_object({compiler.process(element.clauses, **kw)})"


@compiles(json_object, "sqlite")
def _json_object_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"json_object({compiler.process(element.clauses, **kw)})"


class json_number(FunctionElement[Any]):  # noqa: N801
    """A member of a JSON object as a number; NULL where it is none. Arguments: column, key."""

    type = Numeric(asdecimal=False)
    inherit_cache = True


@compiles(json_number, "postgresql")
def _json_number_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CASE jsonb_typeof({column} -> {key}) WHEN 'number' THEN ({column} ->> {key})::numeric END)"


@compiles(json_number, "sqlite")
def _json_number_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    path = f"('$.\"' || {key} || '\"')"
    kind = f"json_type({column}, {path})"
    return f"(CASE WHEN {kind} IN ('integer', 'real') THEN json_extract({column}, {path}) END)"


class json_string(FunctionElement[str]):  # noqa: N801
    """A member of a JSON object as text; NULL where it is no text. Arguments: column, key."""

    type = String()
    inherit_cache = True


@compiles(json_string, "postgresql")
def _json_string_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CASE jsonb_typeof({column} -> {key}) WHEN 'string' THEN {column} ->> {key} END)"


@compiles(json_string, "sqlite")
def _json_string_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key = (compiler.process(clause, **kw) for clause in element.clauses)
    path = f"('$.\"' || {key} || '\"')"
    return f"(CASE json_type({column}, {path}) WHEN 'text' THEN json_extract({column}, {path}) END)"


class json_without(FunctionElement[Any]):  # noqa: N801
    """A JSON object without what stands under a name of an object in it. Arguments: column, object, name."""

    type = Json
    inherit_cache = True


@compiles(json_without, "postgresql")
def _json_without_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, part, name = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"({column} #- ARRAY[{part}, {name}])"


@compiles(json_without, "sqlite")
def _json_without_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, part, name = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"json_remove({column}, '$.' || {part} || '.' || {name})"


class json_is(FunctionElement[bool]):  # noqa: N801
    """Whether a member of a JSON object is one of these texts, or a list with one of them.

    A number is its digits, true is `true`; a member that is not there is none. Arguments: column, key, texts.
    """

    type = Boolean()
    inherit_cache = True


@compiles(json_is, "postgresql")
def _json_is_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key, *texts = (compiler.process(clause, **kw) for clause in element.clauses)
    member, meant = f"({column} -> {key})", f"IN ({', '.join(texts)})"
    found = f"SELECT 1 FROM jsonb_array_elements_text({member}) AS item(said) WHERE item.said {meant}"  # noqa: S608
    is_so = f"({column} ->> {key}) {meant}"
    return f"(CASE jsonb_typeof{member} WHEN 'array' THEN EXISTS ({found}) ELSE {is_so} END)"


@compiles(json_is, "sqlite")
def _json_is_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    column, key, *texts = (compiler.process(clause, **kw) for clause in element.clauses)
    path = f"('$.\"' || {key} || '\"')"
    meant = f"IN ({', '.join(texts)})"

    def said(kind: str, value: str) -> str:
        # By itself it would read true and false as 1 and 0.
        return f"CASE {kind} WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST({value} AS TEXT) END"

    kind = f"json_type({column}, {path})"
    items = f"SELECT 1 FROM json_each({column}, {path}) AS item"  # noqa: S608
    found = f"{items} WHERE {said('item.type', 'item.value')} {meant}"
    is_so = f"{said(kind, f'json_extract({column}, {path})')} {meant}"
    return f"(CASE {kind} WHEN 'array' THEN EXISTS ({found}) ELSE {is_so} END)"


class days_between(FunctionElement[int]):  # noqa: N801
    """Whole days from the first date to the second."""

    type = Integer()
    inherit_cache = True


@compiles(days_between, "postgresql")
def _days_between_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"(CAST({second} AS date) - CAST({first} AS date))"


@compiles(days_between, "sqlite")
def _days_between_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    first, second = (compiler.process(clause, **kw) for clause in element.clauses)
    return f"CAST(julianday({second}) - julianday({first}) AS INTEGER)"


class _LookedUp(FunctionElement[bool]):
    # Of a Boolean SQLAlchemy asks `(…) = 1` on SQLite.
    type = NullType()  # type: ignore[assignment]
    inherit_cache = True


@compiles(_LookedUp, "sqlite")
def _looked_up_sqlite(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    return f"(EXISTS {compiler.process(element.clauses, **kw)})"


@compiles(_LookedUp, "postgresql")
def _looked_up_postgresql(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    # Of an `EXISTS` that many rows ask PostgreSQL makes a list of all there are: a look at few customers, or
    # at one part of them, would read the table of everybody.
    asked = compiler.process(element.clauses, **kw).removesuffix(")")
    return f"({asked} LIMIT 1) IS NOT NULL)"


def looked_up(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether there is such a row, looked up for each row that asks."""
    one: ColumnElement[int] = literal_column("1")
    return _LookedUp(select(one).where(*where).scalar_subquery())


def facts(**columns: ColumnElement[Any]) -> ColumnElement[Any]:
    """A JSON object of columns, built in SQL."""
    pairs: list[ColumnElement[Any]] = []
    for name, column in columns.items():
        pairs += [literal_column(f"'{name}'"), column]
    return json_object(*pairs)


def json_text(column: ColumnElement[Any], key: str) -> ColumnElement[str]:
    """The text under `key` of a JSON column."""
    return cast(ColumnElement[str], column[key].as_string())


def dumps(value: object) -> str:
    """JSON with sorted keys and no spaces: the same value is the same text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
