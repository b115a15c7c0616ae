"""What FCM's errors mean (https://firebase.google.com/docs/cloud-messaging/error-codes)."""

import json
from collections.abc import Mapping
from typing import Any

import httpx

from channels.http_faults import broken, of_one, refusal, retry_after
from channels.outcome import Failed, Outcome, Unknown

OF_ANOTHER_SENDER = "device_of_another_sender"
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_BAD_REQUEST = "type.googleapis.com/google.rpc.BadRequest"
_BY_CODE: dict[str, Failed] = {
    "UNREGISTERED": Failed("permanent", "device_unregistered", address="dead"),
    "SENDER_ID_MISMATCH": Failed("permanent", OF_ANOTHER_SENDER, address="dead"),
    "THIRD_PARTY_AUTH_ERROR": Failed("configuration", "apns_credentials"),
    "APNS_AUTH_ERROR": Failed("configuration", "apns_credentials"),
    "QUOTA_EXCEEDED": Failed("temporary", "rate_limited"),
    "UNAVAILABLE": Failed("temporary", "provider_busy"),
    "INTERNAL": Failed("temporary", "provider_error"),
}
_OWN: dict[int, Failed] = {
    404: Failed("configuration", "project_unknown"),
    500: Failed("temporary", "provider_error"),
}


def failure(error: Any) -> Outcome:
    """The outcome of an SDK error. Raises ChannelDown if no connection or no permission can be had.

    500 and 503 are FCM's own word that it did not take the message. A lost connection or a late answer says
    nothing.
    """
    response = error.http_response
    if response is not None:
        return _answered(response)
    if isinstance(error.cause, ValueError | LookupError | AttributeError | TypeError):
        return Unknown("unreadable_answer")  # taken over, it seems, but the answer is not the one agreed on
    return broken(error.cause)


def _answered(response: httpx.Response) -> Outcome:
    status, problem = response.status_code, _problem(response)
    code = _code(problem)
    detail = f"HTTP {status} {code}".strip()
    known = {**_OWN, 400: _invalid(problem)}
    if code:
        known[status] = _BY_CODE[code]
    return of_one(refusal(status, detail, retry_after(response.headers), known))


def _invalid(problem: Mapping[str, Any]) -> Failed:
    """A 400. The address is dead only if FCM says that it is the address it cannot read."""
    fields = [str(item.get("field")) for item in _detail(problem, _BAD_REQUEST).get("fieldViolations") or []]
    words = str(problem.get("message", "")).lower()
    if "message.token" in fields or "message.fid" in fields or "not a valid fcm registration token" in words:
        return Failed("permanent", "device_invalid", address="dead")
    return Failed("permanent", "refused")


def _problem(response: httpx.Response) -> Mapping[str, Any]:
    try:
        content = json.loads(response.content)
    except ValueError:
        return {}
    problem = content.get("error") if isinstance(content, dict) else None
    return problem if isinstance(problem, dict) else {}


def _code(problem: Mapping[str, Any]) -> str:
    code = _detail(problem, _FCM_ERROR).get("errorCode", "")
    return code if code in _BY_CODE else ""


def _detail(problem: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    details = problem.get("details")
    items = [item for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    return next((item for item in items if item.get("@type") == kind), {})
