"""How the database finds what is asked of it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event

from core.db import Database


@contextmanager
def plans(database: Database, table: str) -> Iterator[list[str]]:
    """The plan of each question about a table that is asked meanwhile."""
    said: list[str] = []

    def note(connection: Any, _cursor: Any, text: str, parameters: Any, *_: Any) -> None:
        if not re.search(rf"(FROM|JOIN) {table}\b", text):
            return
        word = "EXPLAIN QUERY PLAN" if connection.dialect.name == "sqlite" else "EXPLAIN"
        cursor = connection.connection.cursor()
        cursor.execute(f"{word} {text}", parameters)
        said.append("\n".join(str(row[-1]) for row in cursor.fetchall()))
        cursor.close()

    event.listen(database.engine, "before_cursor_execute", note)
    yield said
    event.remove(database.engine, "before_cursor_execute", note)
