"""A clerk is killed (SIGKILL) again and again in the middle of requests of all kinds: no entry is
without its lot and its operation, none is there twice, and in the end everything is as if nobody had died.

The points of death are drawn by a seed: any call of any function, between requests and inside transactions.
"""

import random
from typing import Any

from sqlalchemy import func, select

from core.db import Database
from core.ledger.writing import ENTRY, LOT, OPERATION
from tests.conftest import FreshDatabase
from tests.core.books import (
    START,
    Kept,
    check_books,
    check_statistics,
    check_what_operations_came_to,
    kept_by_the_books,
    register,
)
from tests.faults.clerk import HOURS, PEOPLE, PROGRAM, Answer, requests, run
from tests.faults.processes import PROCESSES

REQUESTS, KILLS = 70, 10
END = START + REQUESTS * HOURS


def test_a_clerk_killed_at_any_moment_leaves_no_half_of_anything(fresh_database: FreshDatabase) -> None:
    with fresh_database() as database:
        register(database, PROGRAM, *PEOPLE)
        undisturbed = {number: ask(database) for number, ask in enumerate(requests(REQUESTS))}
        expected = the_end(database)
    assert len([it for it in undisturbed.values() if isinstance(it, dict)]) > REQUESTS // 2
    with fresh_database() as database:
        register(database, PROGRAM, *PEOPLE)
        answers = killed_again_and_again(database)
        assert answers == undisturbed
        assert the_end(database) == expected
        the_same_again_changes_nothing(database, answers)
        assert the_end(database) == expected


def killed_again_and_again(database: Database) -> dict[int, Answer]:
    """Every new clerk goes on with the first request that was not answered."""
    dice = random.Random(20260301)
    answers: dict[int, Answer] = {}
    died = 0
    while len(answers) < REQUESTS:
        calls = dice.randint(500, 25_000) if died < KILLS else 0
        killed = clerk(database, len(answers), calls, answers)
        assert killed is bool(calls)
        died += killed
        nothing_is_left_half_done(database)
    assert died == KILLS
    return answers


def clerk(database: Database, first: int, calls: int, answers: dict[int, Answer]) -> bool:
    """One clerk's working life; whether it was killed."""
    here, there = PROCESSES.Pipe(duplex=False)
    url = database.engine.url.render_as_string(hide_password=False)
    process = PROCESSES.Process(target=run, args=(url, first, REQUESTS, calls, there))
    process.start()
    there.close()
    try:
        while True:
            number, answer = here.recv()
            answers[number] = answer
    except EOFError:
        process.join()
    finally:
        process.kill()
    return process.exitcode != 0


def nothing_is_left_half_done(database: Database) -> None:
    """Promise 1, and every entry has its operation and its lot, every lot its entries."""
    with database.read() as connection:
        check_books(connection)
        check_statistics(connection)
        check_what_operations_came_to(connection)
        for table, column in ((OPERATION, ENTRY.c.operation_id), (LOT, ENTRY.c.lot_id)):
            orphans = select(func.count()).select_from(ENTRY.outerjoin(table, table.c.id == column))
            assert connection.scalar(orphans.where(table.c.id.is_(None))) == 0
        lots = select(func.count()).select_from(LOT.outerjoin(ENTRY, ENTRY.c.lot_id == LOT.c.id))
        assert connection.scalar(lots.where(ENTRY.c.id.is_(None))) == 0


def the_end(database: Database) -> tuple[list[Kept], list[Any]]:
    """What the books say, and the entries in their order."""
    with database.read() as connection:
        kept = [kept_by_the_books(connection, PROGRAM, who, END) for who in PEOPLE]
        columns = (OPERATION.c.key, ENTRY.c.kind, ENTRY.c.amount, ENTRY.c.rule, ENTRY.c.at)
        booked = select(*columns).join(OPERATION, OPERATION.c.id == ENTRY.c.operation_id)
        return kept, [tuple(row) for row in connection.execute(booked.order_by(ENTRY.c.id))]


def the_same_again_changes_nothing(database: Database, answers: dict[int, Answer]) -> None:
    """What was booked is answered as it was the first time; a hold says that it is over."""
    for number, ask in enumerate(requests(REQUESTS)):
        answer = answers[number]
        # What a household is now is told, not what it was.
        if isinstance(answer, dict) and "places" not in answer:
            again = ask(database)
            assert again == answer or (again in {"committed", "hold_cancelled"} and "to_pay" in answer)
