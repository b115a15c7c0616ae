"""Twilio's error codes (https://www.twilio.com/docs/api/errors), of the request and of delivery.

What each asks of us: leave the address alone (`dead`, `opted_out`), try again, mend something of ours, or
only set this message aside. A code that is not here says nothing of the address.
"""

from collections.abc import Iterable, Iterator

from channels.http_faults import BUSY, refusal
from channels.outcome import AddressFault, Failed, FailureKind, Outcome


def _all(
    kind: FailureKind, reason: str, codes: Iterable[int], address: AddressFault | None = None
) -> Iterator[tuple[int, Failed]]:
    return ((code, Failed(kind, reason, address=address)) for code in codes)


BY_CODE: dict[int, Failed] = dict(
    [
        # The account and the sender: ours to mend, for all messages.
        *_all("configuration", "authentication_failed", [20003, 63001]),
        *_all("configuration", "account_suspended", [20005, 30002, 30037, 63020, 63051]),
        *_all("configuration", "trial_account", [21267, 21607, 21608, 30044, 63015]),
        *_all(
            "configuration",
            "sender_not_allowed",
            [21212, 21603, 21606, 21659, 21660, 21661, 21701, 21703, 21704, 21705, 63007, 63022],
        ),
        *_all("configuration", "sender_not_registered", [30018, 30024, 30032, 30033, 30034, 30035]),
        *_all("configuration", "callback_malformed", [21609]),
        # Ours to mend, for one country or text.
        *_all("configuration", "region_disabled", [21408]),
        *_all("configuration", "no_route", [21612]),
        *_all("configuration", "text_too_long", [21605, 21617, 30019]),
        *_all("configuration", "price_too_high", [30010]),
        *_all("configuration", "outside_window", [63016]),
        *_all("configuration", "template_not_approved", [21655, 63027, 63040, 63041, 63042]),
        # The address.
        *_all("permanent", "number_invalid", [21211, 21265, 21266, 63003, 63024], "dead"),
        *_all("permanent", "not_a_mobile_number", [21614, 21635], "dead"),
        *_all("permanent", "number_unknown", [30005], "dead"),
        *_all("permanent", "number_unreachable", [30006], "dead"),
        *_all("permanent", "opted_out", [21610], "opted_out"),
        *_all("permanent", "blocked_by_recipient", [63014], "opted_out"),
        # A phone's list of blocked senders, or a carrier's: it may be lifted.
        *_all("permanent", "blocked_by_recipient", [30004]),
        # This text.
        *_all("permanent", "filtered_by_carrier", [30007, 30038]),
        *_all("permanent", "text_refused", [21602, 21619, 63005, 63013, 63021, 63030]),
        *_all("permanent", "template_mismatch", [21656, 63028]),
        *_all("permanent", "media_refused", [21620, 30011, 63019]),
        *_all("permanent", "limited_by_whatsapp", [63032, 63049]),
        *_all("permanent", "fraud_suspected", [30450, 30453]),
        *_all("permanent", "expired", [30012, 30036]),
        # Later it may do.
        *_all("temporary", "rate_limited", [20429, 30022, 63017, 63018]),
        *_all("temporary", "daily_limit", [30023, 30027, 63038]),
        *_all("temporary", "queue_overflow", [21611, 30001]),
        *_all("temporary", "handset_unreachable", [30003]),
        *_all("temporary", "delivery_failed", [30008, 30017, 63023]),
        *_all("temporary", "provider_error", [30410, 63010, 63011, 63012, 63029]),
    ]
)


def failure(status: int, code: object, retry_after: float | None = None) -> Outcome:
    """The outcome of an answer that is not 2xx; a `code` that is no number is not Twilio's, and not kept.

    503 refuses the request. Any other 5xx may have come after the message was queued, and Messages has no
    idempotency key: unknown, so that nobody gets it twice.
    """
    number = code if isinstance(code, int) else None
    detail = f"HTTP {status}" if number in (None, status) else f"HTTP {status}, Twilio {number}"
    known = BY_CODE.get(number) if number is not None else None
    if known and (status < 500 or status in BUSY):
        return Failed(known.kind, known.reason, detail, known.address, retry_after)
    return refusal(status, detail, retry_after)
