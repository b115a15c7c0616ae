"""Who may tell us something: whatever is changed in a signed call, it is not believed any more."""

import hashlib
import hmac
from unicodedata import normalize

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from channels.sms import callbacks
from channels.sms.aggregator import reports
from channels.sms.aggregator.config import SignatureConfig
from channels.sms.callbacks import Said

URL = "https://loyalty.example/hooks/twilio/status"
NAMES = st.text("abcDEF", min_size=1, max_size=4)
PAIRS = st.dictionaries(NAMES, st.text(max_size=8), max_size=4)
SHA256 = "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"


@settings(max_examples=60)
@given(PAIRS, PAIRS, st.text(max_size=30), st.sampled_from(["", SHA256]))
def test_a_call_of_twilio_is_believed_as_it_was_signed_and_in_no_other_form(
    given: dict[str, str], other: dict[str, str], forged: str, algorithm: str
) -> None:
    name = "HMAC_SHA256" if algorithm else "HMAC_SHA1"
    made = RequestValidator("12345").compute_signature(URL, given, name)
    pairs = list(given.items())
    assert callbacks.signed("12345", URL, pairs, made, algorithm)
    assert not callbacks.signed("12346", URL, pairs, made, algorithm)
    assert not callbacks.signed("12345", f"{URL}?x=1", pairs, made, algorithm)
    assert not callbacks.signed("12345", URL, pairs, made, "" if algorithm else SHA256)
    assert not callbacks.signed("12345", URL, pairs, forged, algorithm)
    assume(
        "".join(f"{it}{given[it]}" for it in sorted(given))
        != "".join(f"{it}{other[it]}" for it in sorted(other))
    )
    assert not callbacks.signed("12345", URL, list(other.items()), made, algorithm)


@settings(max_examples=60)
@given(st.binary(max_size=40), st.binary(max_size=40), st.text(max_size=70))
def test_a_report_of_an_aggregator_is_believed_as_it_was_signed(
    body: bytes, other: bytes, forged: str
) -> None:
    config = SignatureConfig(header="X-Signature")
    made = hmac.new(b"a secret of ours", body, hashlib.sha256).hexdigest()
    assert reports.signed(config, "a secret of ours", body, {"X-Signature": made.upper()})
    assert not reports.signed(config, "another secret", body, {"X-Signature": made})
    assert not reports.signed(config, "a secret of ours", body, {"X-Signature": forged})
    assert not reports.signed(config, "a secret of ours", body, {})
    assume(other != body)
    assert not reports.signed(config, "a secret of ours", other, {"X-Signature": made})


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("STOP.", Said("stop", "en", answered=True)),
        ("Stop, please!", Said("stop", "en")),
        ("Stop promotions", Said("stop", "en")),
        ("Don’t text me", Said("stop", "en")),
        ("Відпишіть мене від розсилки", Said("stop", "uk")),
        ("Не присылайте мне СМС!!!", Said("stop", "ru")),
        ("Стоп, будь ласка", Said("stop", "uk")),
        ("Відпишіть мене", Said("stop", "uk")),
        ("Отпишите меня, пожалуйста.", Said("stop", "ru")),
        (normalize("NFD", "Не надсилайте"), Said("stop", "uk")),
        ("СТОП", Said("stop")),
        ("STOP STOP STOP!!! 🛑", Said("stop", "en")),
        ("Відписатися! Відписатися!", Said("stop", "uk")),
        ("ＳＴＯＰ", Said("stop", "en", answered=True)),
        ("да, да", Said(None)),
        ("Stop by the shop?", Said(None)),
    ],
)
def test_who_asks_in_a_sentence_of_their_own_is_heard_and_answered_by_us(body: str, said: Said) -> None:
    assert callbacks.said(body) == said
