"""What was under way while a customer was erased is forgotten as well."""

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from sqlalchemy import func, select

from campaigns.erasure import ATTEMPT, ENROLMENT, MESSAGE
from channels import Accepted
from core.customers.erasure import erase
from core.db import Database
from core.grants.acts import Told, tell
from scheduler.claim import Claimer
from scheduler.looks import Looks
from scheduler.outcomes import Settled, settle
from scheduler.pruning import prune
from tests.scheduler.kiosk import Kiosk
from tidings.erasure import request_of


def erase_anna(kiosk: Kiosk) -> None:
    """By another process, by connections of its own."""
    other = Database(kiosk.database.url)
    program = kiosk.live.running().program
    with other.write() as connection:
        erase(connection, program, request_of(kiosk.addresses, "anna"), kiosk.clock.now())
    other.close()


def night(kiosk: Kiosk) -> None:
    """What is done once a night."""
    prune(kiosk.database, kiosk.live.running(), kiosk.clock.now())


def facts(kiosk: Kiosk) -> list[Any]:
    """What enrolments and messages know of anybody."""
    with kiosk.database.read() as connection:
        kept = [connection.scalars(select(table.c.facts)).all() for table in (ENROLMENT, MESSAGE)]
    return [known for of_table in kept for known in of_table]


def look_while_erased(kiosk: Kiosk) -> None:
    """The look has decided on anna and not yet committed when she is erased; only on SQLite that waits."""
    with ThreadPoolExecutor(1) as pool:
        erasure: list[Future[None]] = []

        def begin(_connection: Any, _planned: Any) -> None:
            erasure.append(pool.submit(erase_anna, kiosk))
            if kiosk.database.dialect != "sqlite":
                erasure[0].result(timeout=20)

        Looks(kiosk.database, kiosk.live, planned=begin).run(kiosk.clock.now())
        erasure[0].result()


def test_a_look_that_ends_after_the_erasure_keeps_nothing_of_the_person(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    kiosk.customer("olha", phone="+380501000003")
    look_while_erased(kiosk)
    assert len(facts(kiosk)) == 4
    night(kiosk)
    assert [len(known) > 0 for known in facts(kiosk)].count(True) == 2, "what is known of others stays"
    assert kiosk.message("anna").facts == {}
    assert kiosk.state("anna") == ("recalled", "erased")
    assert kiosk.state("olha") == ("planned", None)


def test_what_a_provider_said_after_the_erasure_goes_too(kiosk: Kiosk) -> None:
    kiosk.scenario(send="[sms]")
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    running = kiosk.live.running()
    with kiosk.database.write() as connection:
        claim = Claimer(running, kiosk.links, kiosk.clock.now()).claim(connection, "sms")
    erase_anna(kiosk)
    with kiosk.database.write() as connection:
        settled = [Settled(claim.messages[0], Accepted("SM1"))]
        settle(connection, running, kiosk.channels()["sms"], claim.fence, settled, kiosk.clock.now())
    night(kiosk)
    with kiosk.database.read() as connection:
        said = connection.scalar(select(func.count()).where(ATTEMPT.c.provider_id.is_not(None)))
    assert (said, kiosk.message("anna").provider_id) == (0, None)
    assert kiosk.state("anna") == ("sent", None), "that she was written to stays"


def test_who_was_erased_is_swept_after_for_a_week_and_then_left_alone(kiosk: Kiosk) -> None:
    kiosk.customer("anna", phone="+380501000001")
    kiosk.plan()
    erase_anna(kiosk)
    night(kiosk)
    for days, forgotten in ((6, True), (2, True), (7, False)):
        kiosk.later(days=days)
        kiosk.set("anna", detail="said late")
        night(kiosk)
        assert (kiosk.message("anna").detail is None) is forgotten, days


def test_who_brought_somebody_keeps_the_thanks_and_forgets_whom_they_brought(kiosk: Kiosk) -> None:
    kiosk.files |= {path: "Thank you!" for path in kiosk.files if path.startswith("messages/hello/sms")}
    kiosk.files = {path: text for path, text in kiosk.files.items() if path.count("/") < 2 or "sms" in path}
    kiosk.write(reminder="when: {event: {name: referral}}\nsteps: [{message: hello, send: [sms]}]\n")
    kiosk.customer("olha", phone="+380501000003")
    kiosk.customer("anna")
    with kiosk.database.write() as connection:
        program, now = kiosk.live.running().program, kiosk.clock.now()
        told = Told("1", "olha", "referral", now, "anna", {"place": "the shop"})
        tell(connection, program, told, now, live=True)
    Looks(kiosk.database, kiosk.live).run(kiosk.clock.now())
    assert [it["attributes"] for it in facts(kiosk)] == [{"place": "the shop", "friend": "anna"}] * 2
    erase_anna(kiosk)
    assert [it["attributes"] for it in facts(kiosk)] == [{"place": "the shop"}] * 2
