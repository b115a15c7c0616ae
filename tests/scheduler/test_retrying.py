"""Failed messages go again by hand, and nothing else does."""

from datetime import timedelta

from campaigns.states import history
from scheduler.retrying import Retried, failed_of, retry
from tests.scheduler.kiosk import Kiosk


def failed(kiosk: Kiosk, **parts: str) -> int:
    """Anna's message failed on both its channels."""
    kiosk.scenario(send="[sms, email]", **parts)
    kiosk.customer("anna", phone=kiosk.to("sms", "permanent"), email=kiosk.to("email", "permanent"))
    kiosk.plan()
    kiosk.deliver()
    assert kiosk.state("anna")[0] == "failed"
    number: int = kiosk.message("anna").id
    return number


def again(kiosk: Kiosk, *ids: int) -> Retried:
    with kiosk.database.write() as connection:
        return retry(connection, ids, kiosk.clock.now())


def test_it_goes_again_from_its_first_channel_on_and_its_history_says_so(kiosk: Kiosk) -> None:
    number = failed(kiosk)
    kiosk.later(hours=1)
    with kiosk.database.read() as connection:
        assert failed_of(connection, "reminder") == [number]
    assert again(kiosk, number) == Retried((number,), (), {}, ())
    row = kiosk.message("anna")
    assert (row.state, row.channel, row.tries, row.reason) == ("planned", "sms", 0, "retried by hand")
    assert kiosk.verdict("anna") == ("planned", "retried by hand")
    assert kiosk.anchor("anna") is None, "the wait for the next step is not held up"
    kiosk.deliver()
    assert kiosk.state("anna")[0] == "failed"
    with kiosk.database.read() as connection:
        said = [(it.state, it.reason) for it in history(connection, [number])[number]]
    assert ("planned", "retried by hand") in said


def test_consent_is_asked_again_before_it_leaves(kiosk: Kiosk) -> None:
    number = failed(kiosk)
    kiosk.withdraw("anna", "sms")
    again(kiosk, number)
    kiosk.deliver()
    assert kiosk.state("anna") == ("recalled", "no_consent")


def test_what_is_too_late_unknown_or_not_there_is_left_as_it_is(kiosk: Kiosk) -> None:
    number = failed(kiosk, limits="{valid_for: 2 hours}")
    kiosk.clock.move_by(timedelta(hours=3))
    assert again(kiosk, number, 4711) == Retried((), (number,), {}, (4711,))
    kiosk.set("anna", state="unknown", expires_at=None)
    assert again(kiosk, number) == Retried((), (), {number: "unknown"}, ())
    assert kiosk.state("anna")[0] == "unknown"
