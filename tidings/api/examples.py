"""The examples of the API's description: one customer, one purchase, one return, the same everywhere.

They are checked against their schemas, and the requests are played against the application in the order in
which they are described.
"""

from typing import Any

Example = dict[str, Any]

CUSTOMER_IN: Example = {
    "external_id": "10042", "name": "Олена Коваль", "phone": "+380501234567", "email": "olena@example.com",
    "birthday": "1990-03-14", "locale": "uk", "city": "Kyiv", "time_zone": "Europe/Kyiv",
    "card": "KV20261234", "attributes": {"pet": "cat"},
}  # fmt: skip
# With whom the first one shares bonuses, and whose profile turns out to be the same person's.
SISTER_IN: Example = {"external_id": "10077", "name": "О. Коваль", "phone": "+380501234567", "locale": "uk"}
CONSENT_IN: Example = {
    "channel": "email", "granted": True, "source": "checkout", "wording": "2026-03",
    "proof": {"form": "checkout", "url": "https://kavarnia.example/checkout", "locale": "uk"},
}  # fmt: skip
CONSENTS_IN: Example = {
    "consents": [CONSENT_IN, {"channel": "sms", "granted": False, "source": "checkout"}]
}  # fmt: skip
CONSENT_VALUE: Example = {"granted": False, "source": "account page"}
CONSENT: Example = {
    "channel": "email", "purpose": "marketing", "granted": True, "at": "2026-03-01T08:15:00Z",
    "source": "checkout", "wording": "2026-03", "pending": False,
}  # fmt: skip
ADDRESS_IN: Example = {"kind": "push", "value": "dGhpcyBpcyBh:APA91b"}
CUSTOMER_LOT: Example = {
    "reason": "welcome", "amount": "50", "remaining": "50", "active_from": "2026-03-01T08:00:00Z",
    "expires_on": "2026-03-31",
}  # fmt: skip
CARD_LINKS: Example = {
    "page": "https://loyalty.example/c/AcPgkYYkERgJhZLTMg", "short": "https://loyalty.example/k/0000H6RbgvTs",
    "apple": "https://loyalty.example/c/AcPgkYYkERgJhZLTMg/card.pkpass",
    "google": "https://loyalty.example/c/AcPgkYYkERgJhZLTMg/google",
}  # fmt: skip
CARD: Example = {
    "customer": "10042", "state": "issued", "serial": "b5b8cf4d1c6f4c6ab1c0a3f6a0f7c0de", "links": CARD_LINKS,
}  # fmt: skip
REISSUE: Example = {"author": "maria", "reason": "the phone was lost", "card": "KV20264321"}
CUSTOMER: Example = {
    **CUSTOMER_IN, "gender": None, "registered_at": "2026-03-01T08:00:00Z", "balance": "50",
    "available": "50",
    "tier": {"name": "bronze", "earn_percent": "3", "discount_percent": "0", "since": "2026-03-01",
             "next": "silver", "unit": "money", "have": "0", "missing": "5000", "until": None,
             "to_keep": None, "keep_by": None, "kept_by": "everybody"},
    "expiring": {"amount": "50", "on": "2026-03-31"}, "lots": [CUSTOMER_LOT], "consents": [CONSENT],
    "wallet_card": CARD_LINKS, "warnings": [],
}  # fmt: skip
CUSTOMER_SHORT: Example = {
    "external_id": "10042", "card": "KV20261234", "name": "Олена Коваль", "tier": "bronze", "balance": "50",
    "available": "50", "updated_at": "2026-03-01T08:00:00Z",
}  # fmt: skip
IDENTIFY: Example = {"code": "KV20261234"}

RECEIPT_IN: Example = {
    "id": "R-2026-000173", "customer": "10042", "at": "2026-03-01T10:15:00+02:00", "store": "kyiv-1",
    "currency": "UAH", "lines": [{"sku": "flat-white", "quantity": "2", "total": "170.00"}],
}  # fmt: skip
RECEIPT_OUT: Example = {
    "receipt": "R-2026-000173", "customer": "10042", "earned": "5.1", "spent": "0", "balance": "55.1",
    "available": "55.1", "tier": "bronze", "level_bonus": "0",
    "rules": [{"rule": "base", "points": "5.1", "why": "bronze: 3% of 170.00"}], "corrected": [],
    "codes_left_out": [],
}  # fmt: skip
RECEIPT_SHOWN: Example = {
    "receipt": "R-2026-000173", "customer": "10042", "at": "2026-03-01T08:15:00Z",
    "recorded_at": "2026-03-01T08:15:01Z", "store": "kyiv-1", "partner": None, "total": "170",
    "paid_points": "0", "earned": "5.1", "rules_by_code": [], "returned_at": None,
    "lines": [{"line": 1, "sku": "flat-white", "quantity": "2", "total": "170", "category": None,
               "brand": None, "discounted": False, "earned": "5.1", "paid_points": "0",
               "returned": "0", "kept_total": "170", "kept_paid_points": "0"}],
}  # fmt: skip
RETURN_IN: Example = {
    "id": "RT-1", "at": "2026-03-02T18:40:00+02:00", "lines": [{"sku": "flat-white", "quantity": "1"}]
}  # fmt: skip
RETURN_OUT: Example = {
    "receipt": "R-2026-000173", "customer": "10042", "earned": "5.1", "taken_back": "2.55",
    "level_bonus_taken_back": "0", "debt": "0", "given_back": "0", "balance": "52.55", "available": "52.55",
    "tier": "bronze", "corrected": [],
}  # fmt: skip

BALANCE: Example = {
    "customer": "10042", "total": "55.1", "available": "55.1", "active": "55.1", "pending": "0", "debt": "0",
    "held": "0", "accounts": [{"account": "base", "active": "55.1", "pending": "0"}],
    "expiring": [{"amount": "50", "on": "2026-03-31"}, {"amount": "5.1", "on": "2026-08-28"}],
}  # fmt: skip
LOT: Example = {
    "lot": 2, "account": "base", "reason": "purchase", "amount": "5.1", "remaining": "5.1", "state": "active",
    "active_from": "2026-03-01T08:15:00Z", "expires_on": "2026-08-28", "operation": "purchase",
    "receipt": "R-2026-000173", "partner": None,
}  # fmt: skip
ENTRY: Example = {
    "entry": 3, "at": "2026-03-01T08:15:00Z", "recorded_at": "2026-03-01T08:15:01Z", "operation": "purchase",
    "kind": "accrual", "amount": "5.1", "sentence": "+5.1: earned on receipt R-2026-000173 by the rule base",
    "receipt": "R-2026-000173", "account": "base", "lot": 2, "rule": "base", "program_version": 1,
    "corrects": None, "author": None, "reason": None,
}  # fmt: skip
EVENT: Example = {
    "event": 4, "kind": "purchase", "customer": "10042", "subject": "R-2026-000173",
    "at": "2026-03-01T08:15:00Z", "recorded_at": "2026-03-01T08:15:01Z", "live": True,
    "data": {"total": "170", "store": "kyiv-1"},
}  # fmt: skip

PROBLEM: Example = {
    "type": "/problems/invalid", "title": "Some of this is wrong", "status": 422, "code": "invalid",
    "detail": "lines[0].total: must be zero or more",
    "errors": [{"field": "lines[0].total", "message": "must be zero or more"}],
}  # fmt: skip
