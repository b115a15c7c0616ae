"""Google Wallet's API: a client that finds out what exists, alone and in numbers; equal to the vendor's."""

import asyncio
import json
import warnings
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from core.errors import EnvironmentFault
from tests.wallet.conftest import Speak
from tests.wallet.google import Google, refusal
from tests.wallet.servers import Answer, running
from wallet.google import batch
from wallet.google.account import Account
from wallet.google.api import Api, Pace
from wallet.google.bodies import GoogleIssuer, void_object
from wallet.google.calls import NO_ANSWER, OBJECT, Call, Outcome, Written, verdict
from wallet.google.calls import Answer as Heard
from wallet.google.client import Message, Save, Wallet, wallet_for
from wallet.google.settings import GoogleSettings

CLASS: dict[str, Any] = {
    "id": "1.gold", "issuerName": "Kavarnia", "programName": "Kavarnia", "reviewStatus": "UNDER_REVIEW",
    "programLogo": {"sourceUri": {"uri": "https://loyalty.example/logo.png"}},
}  # fmt: skip
TOO_MANY = refusal(403, "quotaExceeded", "Quota exceeded for issuer 1 when adding TEXT_AND_NOTIFY message.")


def card(name: str = "a", **more: Any) -> dict[str, Any]:
    return {"id": f"1.{name}", "classId": "1.gold", "state": "ACTIVE", "accountName": "Олена", **more}


def saving(*saves: Save, before: dict[str, Any] | None = CLASS) -> Any:
    async def task(wallet: Wallet) -> list[Written]:
        if before is not None:
            await wallet.save_class(before)
        return await wallet.save_objects(saves)

    return task


def outcomes(written: list[Written]) -> list[str]:
    return [it.outcome.value for it in written]


class TestOneByOne:
    """What is there is patched, what is not is inserted, whatever we thought."""

    @pytest.mark.parametrize("there", [False, True])
    @pytest.mark.parametrize("believed", [False, True])
    def test_an_object_is_written_whether_it_was_there_or_not(
        self, google: Google, speak: Speak, *, there: bool, believed: bool
    ) -> None:
        google.kept["1.gold"] = {**CLASS}
        if there:
            google.kept["1.a"] = card(accountName="", barcode={"type": "QR_CODE", "value": "old"})
        body = card(barcode=None)
        assert outcomes(speak(saving(Save(body, exists=believed), before=None))) == ["written"]
        assert google.kept["1.a"] == card()
        asked = {
            (True, True): ["PATCH"], (False, False): ["POST"],
            (True, False): ["POST", "PATCH"], (False, True): ["PATCH", "POST"],
        }[there, believed]  # fmt: skip
        assert [method for method, _ in google.requests()] == asked

    def test_a_class_is_patched_with_its_review_asked_anew(self, google: Google, speak: Speak) -> None:
        async def task(wallet: Wallet) -> list[Written]:
            return [await wallet.save_class(CLASS), await wallet.save_class({**CLASS, "issuerName": "K"})]

        assert outcomes(speak(task)) == ["written", "written"]
        assert google.requests() == [
            ("PATCH", "loyaltyClass/1.gold"), ("POST", "loyaltyClass"), ("PATCH", "loyaltyClass/1.gold"),
        ]  # fmt: skip
        assert (google.kept["1.gold"]["issuerName"], google.kept["1.gold"]["reviewStatus"]) == (
            "K",
            "APPROVED",
        )

    @pytest.mark.parametrize("exists", [False, True])
    def test_an_object_without_its_class_says_so(self, google: Google, speak: Speak, *, exists: bool) -> None:
        if exists:
            google.kept["1.a"] = card(classId="1.old")
        assert outcomes(speak(saving(Save(card(), exists=exists), before=None))) == ["no class"]

    @pytest.mark.parametrize(
        ("answer", "outcome"),
        [
            (refusal(400, "invalidResource"), Outcome.REFUSED),
            ((401, {"error": {"status": "UNAUTHENTICATED"}}), Outcome.CONFIGURATION),
            (refusal(403, "permissionDenied"), Outcome.CONFIGURATION),
            (refusal(403, "rateLimitExceeded"), Outcome.RETRY),
            (refusal(403, "quotaExceeded"), Outcome.RETRY),
            ((429, None), Outcome.RETRY),
            ((500, {"error": "oops"}), Outcome.RETRY),
            ((503, []), Outcome.RETRY),
            ((200, {}), Outcome.WRITTEN),
        ],
    )
    def test_each_answer_has_its_meaning(
        self, google: Google, speak: Speak, answer: Answer, outcome: Outcome
    ) -> None:
        google.broken["1.a"] = answer
        [written] = speak(saving(Save(card(), exists=True), before=None))
        assert written.outcome is outcome
        assert bool(written.reason) == (outcome is not Outcome.WRITTEN)

    @pytest.mark.parametrize(
        ("wait", "seconds"),
        [
            ("7", 7),
            ("86400", 3600),
            ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0),
            ("²", None),
            ("soon", None),
        ],
    )
    @pytest.mark.parametrize("together", [False, True])
    def test_google_is_left_alone_for_as_long_as_it_asks_however_it_says_so(
        self, google: Google, speak: Speak, wait: str, seconds: int | None, *, together: bool
    ) -> None:
        headers = {"retry-after": wait}
        google.broken = {"1.a": (503, None, headers), "1.b": (503, None, headers)}
        saves = [Save(card(name), exists=True) for name in ("a", "b")[: 1 + together]]
        for written in speak(saving(*saves, before=None)):
            assert written.outcome is Outcome.RETRY
            assert written.after == (None if seconds is None else timedelta(seconds=seconds))

    def test_over_the_days_quota_the_card_changes_silently(self, google: Google, speak: Speak) -> None:
        google.kept |= {"1.gold": {**CLASS}, "1.a": card()}
        google.notified["1.a", "update"] = 3
        body = card(accountName="Ольга", notifyPreference="NOTIFY_ON_UPDATE")
        assert outcomes(speak(saving(Save(body, exists=True), before=None))) == ["quota"]
        assert google.kept["1.a"]["accountName"] == "Ольга"
        assert ["notifyPreference" in body for body in google.objects()] == [True, False]

    def test_an_issuer_that_may_not_name_stores_gets_cards_without_them(
        self, google: Google, speak: Speak
    ) -> None:
        google.kept["1.gold"] = {**CLASS}
        refused = refusal(400, "invalidResource", "Issuer not allowlisted for Merchant Locations.")
        google.failures = [refused]
        near: dict[str, Any] = {"merchantLocations": [{"latitude": 50.4, "longitude": 30.5}]}

        async def task(wallet: Wallet) -> list[Written]:
            first = await wallet.save_objects([Save(card(**near), exists=False)])
            return first + await wallet.save_objects([Save(card("b", **near), exists=False)])

        assert outcomes(speak(task)) == ["written", "written"]
        assert [body["id"] for body in google.objects()] == ["1.a", "1.b"]
        assert all("merchantLocations" not in body for body in google.objects())

    def test_nor_does_it_keep_what_such_an_issuers_customer_no_longer_wants_there(
        self, google: Google, speak: Speak
    ) -> None:
        google.kept["1.a"] = card(accountName="Олена")
        google.failures = [refusal(400, "invalidResource", "Issuer not allowlisted for Merchant Locations.")]
        emptied = void_object(GoogleIssuer("1", "https://x.example"), "a")

        async def task(wallet: Wallet) -> list[Written]:
            gone = await wallet.patch_objects([emptied])
            return gone + await wallet.patch_objects([{**emptied, "id": "1.nobody"}])

        assert outcomes(speak(task)) == ["written", "missing"]
        assert (google.kept["1.a"]["state"], google.kept["1.a"]["accountName"]) == ("INACTIVE", "")
        assert "1.nobody" not in google.kept

    def test_a_token_that_google_no_longer_takes_is_renewed(self, google: Google, speak: Speak) -> None:
        google.kept["1.gold"] = {**CLASS}

        async def task(wallet: Wallet) -> list[Written]:
            await wallet.save_objects([Save(card(), exists=False)])
            google.token = "another"
            return await wallet.save_objects([Save(card(), exists=True)])

        assert outcomes(speak(task)) == ["written"]
        assert [it.path for it in google.seen].count("/token") == 2

    def test_a_key_that_google_does_not_know_is_a_fault_of_ours(
        self, google: Google, speak: Speak, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(google, "_token", lambda request: (400, {"error": "invalid_grant"}))
        with pytest.raises(EnvironmentFault, match="does not accept the key"):
            speak(saving(Save(card(), exists=True), before=None))

    def test_a_token_endpoint_that_is_down_is_a_reason_to_try_later(
        self, google: Google, speak: Speak, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(google, "_token", lambda request: (503, {"error": "unavailable"}))
        # The vendor's library tries thrice, with seconds between.
        monkeypatch.setattr("google.auth._exponential_backoff.time", SimpleNamespace(sleep=lambda seconds: 0))
        assert outcomes(speak(saving(Save(card(), exists=True), before=None))) == ["retry"]

    def test_nobody_there_is_a_reason_to_try_later(self, account: Account) -> None:
        async def task() -> list[Written]:
            settings = GoogleSettings(transport="api", base_url="http://127.0.0.1:9")
            local = Account(account.email, account.key, {**account.info, "token_uri": "http://127.0.0.1:9/t"})
            wallet = wallet_for(settings, local, Path("unused"))
            try:
                return await wallet.save_objects([Save(card(), exists=True)])
            finally:
                await wallet.close()

        assert outcomes(asyncio.run(task())) == ["retry"]


class Unhurried(Pace):
    """Nobody waits for their turn."""

    async def turn(self, count: int = 1) -> None:
        """At once."""


def test_a_date_to_come_back_at_is_held_against_the_answers_own_date() -> None:
    busy = Heard(503, b"", "Sun, 06 Nov 1994 08:51:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT")
    assert verdict(Call("GET", OBJECT), busy).after == timedelta(minutes=2)


class TestInNumbers:
    """Many at once go in batches, and each of them is settled for itself."""

    def test_what_fails_in_a_batch_fails_alone(self, google: Google, speak: Speak) -> None:
        there = {f"1.{name}": card(name) for name in ("patched", "quota", "refused")}
        google.kept |= {"1.gold": {**CLASS}, **there}
        google.notified["1.quota", "update"] = 3
        google.broken = {
            "1.refused": refusal(400, "invalidResource"),
            "1.busy": (503, None, {"retry-after": "7"}),
        }
        names = ["patched", "new", "refused", "quota", "busy"]
        saves = [Save(card(name, notifyPreference="NOTIFY_ON_UPDATE"), exists=True) for name in names]
        written = speak(saving(*saves, Save(card("patched"), exists=False), before=None))
        assert outcomes(written) == ["written", "written", "refused", "quota", "retry", "written"]
        assert written[4].after is not None
        assert written[4].after.total_seconds() == 7
        # The second one repairs the three that Google's answers say how to.
        assert google.batches == [6, 3]

    def test_the_next_requests_wait_out_the_pause_that_google_asked_for(
        self, google: Google, speak: Speak
    ) -> None:
        google.broken["1.a"] = (429, None, {"retry-after": "60"})

        async def task(wallet: Wallet) -> list[Written]:
            first = await wallet.save_objects([Save(card(), exists=True)])
            return first + await wallet.save_objects([Save(card("b"), exists=True)])

        written = speak(task)
        assert outcomes(written) == ["retry", "retry"]
        assert [path for _, path in google.requests()] == ["loyaltyObject/1.a"]
        assert 50 < written[1].after.total_seconds() <= 60

    @pytest.mark.parametrize("together", [True, False])
    def test_too_fast_is_a_reason_to_pause_in_whichever_words(
        self, google: Google, speak: Speak, *, together: bool
    ) -> None:
        google.failures = [] if together else [(404, None)]
        google.broken["1.a"] = refusal(403, "rateLimitExceeded")

        async def task(wallet: Wallet) -> list[Written]:
            first = await wallet.save_objects([Save(card(it), exists=True) for it in "aa"])
            return first + await wallet.save_objects([Save(card("b"), exists=True)])

        assert outcomes(speak(task)) == ["retry"] * 3
        assert {path for _, path in google.requests()} == {"loyaltyObject/1.a"}

    @pytest.mark.parametrize("status", [500, 429, 401])
    def test_a_batch_that_fails_as_a_whole_fails_for_each(
        self, google: Google, speak: Speak, status: int
    ) -> None:
        google.failures = [(status, None)] * 2
        written = speak(saving(Save(card(), exists=True), Save(card("b"), exists=True), before=None))
        assert outcomes(written) == ["configuration" if status == 401 else "retry"] * 2

    @pytest.mark.parametrize("answer", [b"", b"--answers\r\nnothing\r\n--answers--", b"HTTP/1.1 200 OK"])
    def test_an_answer_that_cannot_be_read_is_no_answer(self, answer: bytes) -> None:
        found = batch.read('multipart/mixed; boundary="answers"', answer, 2)
        assert [it.status for it in found] == [NO_ANSWER, NO_ANSWER]

    def test_where_batches_are_not_known_each_goes_alone(self, google: Google, speak: Speak) -> None:
        google.kept["1.gold"] = {**CLASS}
        google.failures = [(404, None)]
        saves = [Save(card(name), exists=False) for name in "abc"]
        assert outcomes(speak(saving(*saves, before=None))) == ["written"] * 3
        assert google.batches == []
        assert len(google.objects()) == 3

    def test_the_quota_counts_each_request_of_a_batch(self) -> None:
        async def task() -> float:
            loop, pace = asyncio.get_running_loop(), Pace(1_000)
            began = loop.time()
            for count in (30, 30, 1):
                await pace.turn(count)
            return loop.time() - began

        assert asyncio.run(task()) >= 0.06

    def test_a_batch_is_never_more_than_a_second_of_the_quota(self, google: Google, account: Account) -> None:
        async def task(address: str) -> None:
            from google.oauth2.credentials import Credentials
            from httpx import AsyncClient

            client = AsyncClient(base_url=f"http://{address}/walletobjects/v1")
            known: Any = Credentials("the-token")  # type: ignore[no-untyped-call]
            api = Api(client, known, Unhurried(40))
            await api.send([Call("PATCH", f"loyaltyObject/1.{it}", card(str(it))) for it in range(50)])
            await api.close()

        with running(google) as address:
            asyncio.run(task(address))
        assert sorted(google.batches) == [10, 40]


class TestMessages:
    """`addMessage`."""

    def message(self, name: str = "m1") -> Message:
        body = {"id": name, "header": "Новини", "body": "Кава", "messageType": "TEXT_AND_NOTIFY"}
        return Message("1.a", body)

    def test_one_over_the_quota_is_left_on_the_card_silently(self, google: Google, speak: Speak) -> None:
        google.kept["1.a"] = card()
        google.notified["1.a", "message"] = 3
        assert outcomes(speak(lambda wallet: wallet.add_messages([self.message()]))) == ["quota"]
        assert [it["messageType"] for it in google.kept["1.a"]["messages"]] == ["TEXT"]

    def test_a_holder_who_was_told_too_often_holds_up_nobody(self, google: Google, speak: Speak) -> None:
        google.kept["1.a"] = card()
        google.failures = [refusal(429, "quotaExceeded")]
        assert outcomes(speak(lambda wallet: wallet.add_messages([self.message()]))) == ["quota"]
        assert [it["messageType"] for it in google.kept["1.a"]["messages"]] == ["TEXT"]

    def test_one_may_ask_whether_a_card_has_it(self, google: Google, speak: Speak) -> None:
        google.kept["1.a"] = card(messages=[{"id": "m1"}])
        asked = [self.message(), self.message("m2"), Message("1.b", {"id": "m1"})]
        assert speak(lambda wallet: wallet.carrying(asked)) == [True, False, False]
        google.broken["1.a"] = (500, None)
        assert speak(lambda wallet: wallet.carrying(asked[:1])) == [None]


def test_without_an_account_bodies_are_written_into_a_folder(account: Account, tmp_path: Path) -> None:
    async def task() -> list[Written]:
        wallet = wallet_for(GoogleSettings(), account, tmp_path)
        await wallet.save_class(CLASS)
        message = await wallet.add_messages([Message("1.a", {"id": "m1", "header": "Новини", "body": "К"})])
        return message + await wallet.save_objects([Save(card(barcode=None), exists=False)])

    assert outcomes(asyncio.run(task())) == ["written", "written"]
    written = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.json")}
    assert written == {"loyaltyClass/1.gold.json", "loyaltyObject/1.a.json", "message/1.a.json"}
    assert json.loads((tmp_path / "loyaltyObject/1.a.json").read_text()) == card()


def vendor(address: str) -> Any:
    """The vendor's own client, talking to this machine."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what its libraries find old in each other
        from google.oauth2.credentials import Credentials
        from googleapiclient.discovery import build

        return build(
            "walletobjects", "v1", static_discovery=True, cache_discovery=False,
            credentials=Credentials("the-token"),  # type: ignore[no-untyped-call]
            client_options={"api_endpoint": f"http://{address}/"},
        )  # fmt: skip


def test_our_requests_are_those_of_the_vendors_client(google: Google, account: Account, speak: Speak) -> None:
    message = {"id": "m1", "header": "Новини", "body": "Кава", "messageType": "TEXT"}
    changed = {**CLASS, "issuerName": "K"}

    async def ours(wallet: Wallet) -> None:
        await wallet.save_class(CLASS)
        await wallet.save_objects([Save(card(), exists=False)])
        await wallet.save_class(changed)
        await wallet.save_objects([Save(card(accountName="Ольга"), exists=True)])
        await wallet.add_messages([Message("1.a", message)])
        await wallet.carrying([Message("1.a", message)])
        await wallet.save_objects([Save(card(), exists=True), Save(card("b"), exists=False)])

    speak(ours)
    theirs = Google()
    with running(theirs) as address, vendor(address) as service:
        _by_the_vendor(service, changed, message)
    assert theirs.single == google.single
    assert theirs.kept == google.kept
    assert theirs.batches == google.batches == [2]
    kinds = [
        [
            it.headers["content-type"].split(";")[0]
            for it in seen
            if it.method != "GET" and it.path != "/token"
        ]
        for seen in (theirs.seen, google.seen)
    ]
    assert kinds[0] == kinds[1]


def _by_the_vendor(service: Any, changed: dict[str, Any], message: dict[str, Any]) -> None:
    """The same, written by hand with the vendor's client."""
    from googleapiclient.errors import HttpError

    classes, objects = service.loyaltyclass(), service.loyaltyobject()
    with pytest.raises(HttpError):
        classes.patch(resourceId="1.gold", body=CLASS).execute()
    classes.insert(body=CLASS).execute()
    objects.insert(body=card()).execute()
    classes.patch(resourceId="1.gold", body=changed).execute()
    objects.patch(resourceId="1.a", body=card(accountName="Ольга")).execute()
    objects.addmessage(resourceId="1.a", body={"message": message}).execute()
    objects.get(resourceId="1.a").execute()
    # It takes the address of batches from Google's discovery document, not from `api_endpoint`.
    batched = service.new_batch_http_request()
    assert batched._batch_uri == batch.address(GoogleSettings().base_url)
    batched._batch_uri = f"{service._baseUrl}batch"
    batched.add(objects.patch(resourceId="1.a", body=card()))
    batched.add(objects.insert(body=card("b")))
    batched.execute()
