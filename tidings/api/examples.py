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
    "pay_points": "20",
}  # fmt: skip
RECEIPT_OUT: Example = {
    "receipt": "R-2026-000173", "customer": "10042", "earned": "4.5", "spent": "20", "balance": "34.5",
    "available": "34.5", "tier": "bronze", "level_bonus": "0",
    "rules": [{"rule": "base", "points": "4.5", "why": "3% of 150.00"}], "corrected": [],
    "codes_left_out": [],
}  # fmt: skip
RECEIPT_SHOWN: Example = {
    "receipt": "R-2026-000173", "customer": "10042", "at": "2026-03-01T08:15:00Z",
    "recorded_at": "2026-03-01T08:15:01Z", "store": "kyiv-1", "partner": None, "total": "170",
    "paid_points": "20", "earned": "4.5", "rules_by_code": [], "returned_at": None,
    "lines": [{"line": 1, "sku": "flat-white", "quantity": "2", "total": "170", "category": None,
               "brand": None, "discounted": False, "earned": "4.5", "paid_points": "20",
               "returned": "0", "kept_total": "170", "kept_paid_points": "20"}],
}  # fmt: skip
RETURN_IN: Example = {
    "id": "RT-1", "at": "2026-03-02T18:40:00+02:00", "lines": [{"sku": "flat-white", "quantity": "1"}]
}  # fmt: skip
RETURN_OUT: Example = {
    "receipt": "R-2026-000173", "customer": "10042", "earned": "4.5", "taken_back": "2.25", "debt": "0",
    "given_back": "10", "balance": "42.25", "available": "42.25", "tier": "bronze", "corrected": [],
}  # fmt: skip

BALANCE: Example = {
    "customer": "10042", "total": "34.5", "available": "34.5", "active": "34.5", "pending": "0", "debt": "0",
    "held": "0", "accounts": [{"account": "base", "active": "34.5", "pending": "0"}],
    "expiring": [{"amount": "30", "on": "2026-03-31"}, {"amount": "4.5", "on": "2026-08-28"}],
}  # fmt: skip
LOT: Example = {
    "lot": 2, "account": "base", "reason": "purchase", "amount": "4.5", "remaining": "4.5", "state": "active",
    "active_from": "2026-03-01T08:15:00Z", "expires_on": "2026-08-28", "operation": "purchase",
    "receipt": "R-2026-000173", "partner": None,
}  # fmt: skip
ENTRY: Example = {
    "entry": 3, "at": "2026-03-01T08:15:00Z", "recorded_at": "2026-03-01T08:15:01Z", "operation": "purchase",
    "kind": "accrual", "amount": "4.5", "sentence": "+4.5: earned on receipt R-2026-000173 by the rule base",
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
