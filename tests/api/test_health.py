"""What a process tells of its health is true: to a balancer, to whoever restarts it, on a port of its own."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlalchemy import event, text
from sqlmodel import SQLModel

from core.db import Database
from core.errors import EnvironmentFault
from scheduler.beat import BUSY_AT_MOST, Pulse
from scheduler.presence import MISSING, Presence
from tests.api.shop import Shop
from tests.support.ports import free_port
from tidings.moving import frozen
from tidings.schema import HEAD
from tidings.sidecar import serve_health

READ_ONLY = "options=-c%20default_transaction_read_only%3Don"


def reasons(shop: Shop) -> dict[str, str]:
    """The checks of /readyz that failed, with their reasons."""
    answer = shop.stranger.get("/readyz")
    failed = {name: it.get("reason", "") for name, it in answer.json()["checks"].items() if not it["ok"]}
    assert (answer.status_code == 503) == bool(failed)
    return failed


def beats(shop: Shop, pulses: Callable[[], Sequence[Pulse]]) -> None:
    object.__setattr__(shop.services, "pulses", pulses)


def test_an_installation_that_was_moved_away_is_not_ready(shop: Shop) -> None:
    if shop.database.dialect != "sqlite":
        return  # only files are moved away
    assert reasons(shop) == {}
    with shop.database.write() as connection:
        frozen.freeze(
            connection, SQLModel.metadata.sorted_tables, "postgresql://new/tidings", shop.clock.now()
        )
    assert reasons(shop) == {"database": "this installation was moved to another database"}


def test_a_database_that_takes_no_writes_makes_a_process_not_ready(shop: Shop) -> None:
    database = shop.database
    presence = Presence(database, shop.clock, "serve", "0.1.0", list)
    beats(shop, lambda: [Pulse("look", shop.clock.now()), presence.pulse])
    presence.say()
    if database.dialect == "postgresql":
        database = Database(f"{database.url}{'&' if '?' in database.url else '?'}{READ_ONLY}")
        presence._database = database
    else:
        with database.write() as connection:
            connection.execute(text(
                "CREATE TRIGGER full BEFORE INSERT ON process BEGIN SELECT RAISE(ABORT, 'moved: away'); END"
            ))  # fmt: skip
    with pytest.raises(EnvironmentFault):
        presence.say()
    assert reasons(shop) == {}, "it may be for a moment"
    shop.clock.move_by(MISSING)
    with pytest.raises(EnvironmentFault):
        presence.say()
    assert list(reasons(shop)) == ["beat:writing"]
    if database is not shop.database:
        database.close()


def test_a_server_that_only_reads_makes_a_process_not_ready_at_once(shop: Shop) -> None:
    if shop.database.dialect != "postgresql":
        return  # a file has no such state
    assert reasons(shop) == {}
    server = shop.database.engine, "begin", lambda it: it.exec_driver_sql("SET TRANSACTION READ ONLY")
    event.listen(*server)
    try:
        assert reasons(shop) == {"database": "it only reads"}
    finally:
        event.remove(*server)


def test_a_full_disk_is_called_by_its_name(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'full.db'}")
    with database.write() as connection:
        connection.execute(text("CREATE TABLE receipt (line TEXT)"))
        connection.execute(text("PRAGMA max_page_count = 10"))
    with pytest.raises(EnvironmentFault, match="is full; make room"), database.write() as connection:
        connection.execute(text("INSERT INTO receipt VALUES (:line)"), [{"line": "x" * 4_000}] * 20)
    database.close()


def test_the_schema_is_shown_and_what_to_do_where_it_does_not_admit_the_program(shop: Shop) -> None:
    def stands_at(revision: str, oldest: str) -> dict[str, object]:
        with shop.database.write() as connection:
            for table, column, value in (
                ("alembic_version", "version_num", revision), ("schema_floor", "oldest", oldest)
            ):  # fmt: skip
                connection.execute(text(f"CREATE TABLE {table} ({column} VARCHAR(32) NOT NULL)"))
                connection.execute(text(f"INSERT INTO {table} VALUES ('{value}')"))
        try:
            check: dict[str, object] = shop.stranger.get("/readyz").json()["checks"]["schema"]
        finally:
            with shop.database.write() as connection:
                for table in ("alembic_version", "schema_floor"):
                    connection.execute(text(f"DROP TABLE {table}"))
        return check

    assert stands_at(HEAD, HEAD) == {"ok": True, "revision": HEAD}
    assert stands_at("9999", HEAD) == {"ok": True, "revision": "9999"}
    older, newer = stands_at("0001", "0001"), stands_at("9999", "9998")
    assert (older["ok"], newer["ok"]) == (False, False)
    assert str(older["reason"]).endswith(f"this program needs {HEAD}: `tidings db upgrade`")
    assert str(newer["reason"]).endswith(f"this one is of {HEAD}: install the version that upgraded it")


def test_only_what_hangs_is_a_reason_to_start_a_process_again(shop: Shop) -> None:
    now = shop.clock.now()
    beats(shop, lambda: [Pulse("look", now - timedelta(hours=1), failures=9, reason="the database is away")])
    assert shop.stranger.get("/healthz").status_code == 200
    assert list(reasons(shop)) == ["beat:look"]
    beats(shop, lambda: [Pulse("look", now, busy_since=now - BUSY_AT_MOST)])
    answer = shop.stranger.get("/healthz")
    assert (answer.status_code, answer.json()) == (503, {"status": "stuck", "beats": ["look"]})


def test_a_process_without_an_api_is_watched_on_a_port_of_its_own(shop: Shop) -> None:
    async def pages() -> tuple[list[int], str]:
        async with serve_health(shop.services, port=free_port()) as port, httpx.AsyncClient() as client:
            told = [
                await client.get(f"http://127.0.0.1:{port}/{it}") for it in ("healthz", "readyz", "metrics")
            ]
            return [it.status_code for it in told], told[2].text

    statuses, metrics = asyncio.run(pages())
    assert statuses == [200, 200, 200]
    assert "tidings_database_up 1.0" in metrics


def test_a_port_that_is_taken_is_one_sentence_unless_nobody_asked_for_it(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def opened(port: int | None) -> int:
        async with serve_health(shop.services, port=port) as found:
            return found

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EnvironmentFault, match="--metrics-port"):
            asyncio.run(opened(port))
        monkeypatch.setattr("tidings.sidecar.PORT", port)
        assert asyncio.run(opened(None)) == 0
    assert asyncio.run(opened(0)) == 0
