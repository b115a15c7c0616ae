"""The example with rules for acts and codes, compiled once for the tests that ask for it."""

from functools import cache

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from tests.api.shop import EXAMPLE

RULES = b"""
    - {rule: review, give: 10, on: review, limit: 1 per 7 days}
    - {rule: full, give: 20, on: profile, fields: [name, phone]}
    - {rule: inviter, give: 100, on: referral}
    - {rule: newcomer, give: 30, on: referred, after: registration}
    - {rule: flyer, give: 15, codes: coupons}
    - {rule: present, give: 25, on: promo_code, codes: coupons}
    - {rule: hello, give: 5, on: promo_code, code: HELLO-26, per_customer: 1}
"""


@cache
def with_more_rules() -> Running:
    """The example's bundle with these rules before its own."""
    bundle = Bundle.read(EXAMPLE)
    before, after = bundle.files["program.yaml"].split(b"  rules:\n", 1)
    return make_ready(Bundle({**bundle.files, "program.yaml": before + b"  rules:" + RULES + after}), 1)
