"""Twilio's error codes (https://www.twilio.com/docs/api/errors), of the request and of delivery."""

from channels.outcome import Failed, Outcome, Unknown

BY_CODE: dict[int, Failed] = {
    20003: Failed("configuration", "authentication_failed"),
    20429: Failed("temporary", "rate_limited"),
    21211: Failed("permanent", "number_invalid", address="dead"),
    21408: Failed("configuration", "region_disabled"),
    21606: Failed("configuration", "sender_not_allowed"),
    21610: Failed("permanent", "opted_out", address="opted_out"),
    21612: Failed("configuration", "no_route"),
    21614: Failed("permanent", "not_a_mobile_number", address="dead"),
    21617: Failed("configuration", "text_too_long"),
    21660: Failed("configuration", "sender_not_allowed"),
    30001: Failed("temporary", "queue_overflow"),
    30003: Failed("temporary", "handset_unreachable"),
    30004: Failed("permanent", "blocked_by_recipient"),
    30005: Failed("permanent", "number_unknown", address="dead"),
    30006: Failed("permanent", "number_unreachable", address="dead"),
    30007: Failed("permanent", "filtered_by_carrier"),
    30008: Failed("temporary", "delivery_failed"),
}
_BUSY = {429, 503}
_OURS = {401, 403, 404, 405}


def failure(status: int, code: int | None, retry_after: float | None = None) -> Outcome:
    """The outcome of an answer that is not 2xx.

    429 and 503 refuse the request. Any other 5xx may have come after the message was queued, and Messages has
    no idempotency key: unknown, so that nobody gets it twice.
    """
    detail = f"HTTP {status}" if code in (None, status) else f"HTTP {status}, Twilio {code}"
    known = BY_CODE.get(code) if code is not None else None
    if known:
        return Failed(known.kind, known.reason, detail, known.address, retry_after)
    if status in _BUSY:
        return Failed(
            "temporary", "rate_limited" if status == 429 else "provider_busy", detail, None, retry_after
        )
    if status >= 500:
        return Unknown("provider_error", detail)
    if status in _OURS:
        return Failed(
            "configuration", "authentication_failed" if status == 401 else "provider_refused", detail
        )
    return Failed("permanent", "refused", detail)
