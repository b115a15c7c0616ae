"""The columns that tables share."""

from typing import Any

from sqlalchemy import BigInteger, Column, ForeignKey
from sqlmodel import Field

from core.db import Id, Json, UtcDateTime


def identity() -> Any:
    """A row's own number."""
    return Field(default=None, sa_column=Column(Id, primary_key=True, autoincrement=True))


def customer_ref(*, primary_key: bool = False) -> Any:
    """The customer whom a row is about."""
    return Field(sa_column=Column(Id, ForeignKey("customer.id"), primary_key=primary_key, nullable=False))


def units(*, nullable: bool = False) -> Any:
    """Points at the program's scale, or money in minor units."""
    return Field(default=None if nullable else 0, sa_column=Column(BigInteger, nullable=nullable, default=0))


def moment(*, nullable: bool = False) -> Any:
    """A time, UTC."""
    return Field(default=None, sa_column=Column(UtcDateTime, nullable=nullable))


def json_column() -> Any:
    """Free structure, an object."""
    return Field(default_factory=dict, sa_column=Column(Json, nullable=False))
