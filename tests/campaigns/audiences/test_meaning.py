"""Every field with every key, and any tree of them, is the same people in SQL as reckoned one by one."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from campaigns.audience import Names, Node, read_audience
from campaigns.conditions import CUSTOMER, Audience
from core.db import Database
from core.errors import Problem
from core.source import load
from tests.campaigns.audiences.crowd import AT, Crowd, crowd, keep
from tests.campaigns.audiences.plain import Plain
from tests.campaigns.audiences.written import asked, table, trees
from tests.conftest import FreshDatabase

MANY = settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
FEW = settings(max_examples=3, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])


class Asked:
    """A crowd in a database, and who is meant by an audience."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.crowd: Crowd = crowd()
        keep(database, self.crowd)
        self.plain = Plain(self.crowd)

    def check(self, written: dict[str, Any]) -> list[str]:
        """The same people, in SQL and one by one."""
        node = read(written)
        running = self.crowd.running
        meant = Audience(running.program, running.segments, AT, running.kinds).condition(node)
        with self.database.read() as connection:
            found = sorted(connection.scalars(select(CUSTOMER.c.external_id).where(meant)))
        assert found == self.plain.who(node), written
        return found


def read(written: dict[str, Any]) -> Node:
    problems: list[Problem] = []
    document = load(json.dumps(written, ensure_ascii=False), "x.yaml", problems)
    assert document is not None
    node = read_audience(document, (), Names(), problems)
    assert not problems, (written, problems)
    return node


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def people(request: pytest.FixtureRequest) -> Iterator[Asked]:
    """One crowd for all the questions of a database: nothing changes it."""
    databases = request.getfixturevalue(
        {"sqlite": "sqlite_databases", "postgresql": "postgres_databases"}[request.param]
    )
    fresh: FreshDatabase = databases.fresh
    with fresh() as database:
        yield Asked(database)


@pytest.mark.parametrize(("name", "key"), [pytest.param(*it, id=f"{it[0]}-{it[1]}") for it in table()])
def test_a_field_means_the_same_in_sql_and_one_by_one(people: Asked, name: str, key: str) -> None:
    @FEW
    @given(asked(name, key))
    def some(written: dict[str, Any]) -> None:
        people.check(written)

    some()


def test_any_tree_means_the_same_in_sql_and_one_by_one(people: Asked) -> None:
    @MANY
    @given(trees())
    def some(written: dict[str, Any]) -> None:
        people.check(written)

    some()


def test_whoever_is_not_in_an_audience_is_in_its_opposite(people: Asked) -> None:
    everybody = people.check({"not": {"customer": "nobody"}})

    @settings(MANY, max_examples=20)
    @given(st.sampled_from([*table()]).flatmap(lambda it: asked(*it)))
    def some(written: dict[str, Any]) -> None:
        assert sorted(people.check(written) + people.check({"not": written})) == everybody

    some()
