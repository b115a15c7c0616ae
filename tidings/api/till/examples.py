"""The examples of the till's conversation: the customer of all examples buys two flat whites and more."""

from tidings.api.examples import Example

LINES = [
    {"sku": "flat-white", "quantity": "2", "total": "170.00"},
    {"sku": "beans-1kg", "quantity": "1", "total": "640.00"},
]
CART: Example = {"customer": "10042", "store": "kyiv-1", "lines": LINES, "locale": "en"}
HELD_CART: Example = {"customer": "10042", "store": "kyiv-1", "lines": LINES, "pay_points": "20"}
HOLD_IN: Example = {"id": "R-2026-000174", **HELD_CART}
TIER: Example = {
    "name": "bronze", "earn_percent": "3", "discount_percent": "0", "since": "2026-03-01", "next": "silver",
    "unit": "money", "have": "170", "missing": "4830", "until": None, "to_keep": None,
    "keep_by": None, "kept_by": "everybody",
}  # fmt: skip
WITHOUT: Example = {
    "points": "0", "paid": "0", "to_pay": "810", "lines": ["0", "0"], "accounts": [], "needs_code": False,
    "earned": "24.3", "balance": "79.4", "tier": "bronze", "level_bonus": "0",
    "rules": [{"rule": "base", "points": "24.3", "why": "bronze: 3% of 810.00"}], "silent": [],
}  # fmt: skip
MOST: Example = {
    "points": "55.1", "paid": "55.1", "to_pay": "754.9", "lines": ["11.56", "43.54"],
    "accounts": [{"account": "base", "points": "55.1"}], "needs_code": False, "earned": "22.64",
    "balance": "22.64", "tier": "bronze", "level_bonus": "0",
    "rules": [{"rule": "base", "points": "22.64", "why": "bronze: 3% of 754.90"}], "silent": [],
}  # fmt: skip
QUOTE: Example = {
    "customer": "10042", "at": "2026-03-01T08:20:00Z", "currency": "UAH", "price": "810", "discount": "0",
    "discount_percent": "0", "total": "810",
    "lines": [
        {"line": 1, "sku": "flat-white", "price": "170", "discount": "0", "total": "170",
         "spend_at_most": "170"},
        {"line": 2, "sku": "beans-1kg", "price": "640", "discount": "0", "total": "640",
         "spend_at_most": "640"},
    ],
    "balance": "55.1", "available": "55.1", "expiring": {"amount": "50", "on": "2026-03-31"}, "tier": TIER,
    "without_bonuses": WITHOUT, "most": MOST,
    "why_not_more": [{"code": "spend_balance", "message": "The customer has no more: 55.1 bonuses"}],
    "asked": None, "asked_problem": None, "codes": [],
    "messages": {
        "cashier": ["55.1 bonuses can pay 55.10 UAH of it", "4,830 UAH till silver"],
        "customer": ["За покупку: 24,3 бонуса", "31 березня згорить 50 бонусів"],
    },
}  # fmt: skip
CONFIRMATION: Example = {
    "required": True, "state": "sent", "reason": None, "to": "+380•••67",
    "valid_until": "2026-03-01T08:26:00Z", "tries_left": 5, "ask_again_at": "2026-03-01T08:22:00Z",
}  # fmt: skip
HOLD: Example = {
    "receipt": "R-2026-000174", "customer": "10042", "state": "open", "points": "20", "paid": "20",
    "to_pay": "790",
    "lines": [{"line": 1, "sku": "flat-white", "total": "170", "paid": "4.2"},
              {"line": 2, "sku": "beans-1kg", "total": "640", "paid": "15.8"}],
    "earned": "23.7", "available": "35.1", "at": "2026-03-01T08:21:00Z",
    "expires_at": "2026-03-01T08:51:00Z", "confirmation": None,
}  # fmt: skip
CANCELLED: Example = {"receipt": "R-2026-000174", "state": "cancelled"}
SELLER_VIEW: Example = {
    "customer": "10042", "name": "Олена Коваль", "card": "KV20261234", "locale": "uk", "tier": TIER,
    "balance": "55.1", "available": "55.1", "pending": "0",
    "expiring": {"amount": "50", "on": "2026-03-31"}, "birthday_in_days": 13,
    "last_visit_at": "2026-03-01T08:15:00Z", "purchases": 1, "favourite_category": "coffee",
    "offers": [{"rule": "morning", "text": "bonuses ×2: mon, tue, wed, thu, fri; 07:00–09:00", "code": None,
                "coupon": False, "until": None, "now": False}],
    "consents": [{"channel": "email", "state": "granted"}, {"channel": "sms", "state": "unasked"}],
    "messages": {"cashier": ["Ask whether we may write: sms", "4,830 UAH till silver"],
                 "customer": ["31 березня згорить 50 бонусів"]},
}  # fmt: skip
