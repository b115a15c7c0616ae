"""A program of which one bonus pays for half a hryvnia."""

import pytest

from campaigns.bundle import Bundle
from campaigns.running import Running, make_ready
from tests.api.shop import EXAMPLE, Shop


@pytest.fixture(scope="module")
def compiled() -> Running:
    bundle = Bundle.read(EXAMPLE)
    program = bundle.files["program.yaml"].replace(b"worth: 1.00", b"worth: 0.50")
    return make_ready(Bundle({**bundle.files, "program.yaml": program}), 1)


def test_a_payment_of_which_a_part_would_pay_for_nothing_is_refused_by_its_own_name(shop: Shop) -> None:
    shop.register()
    refused = shop.buy(pay_points="10.01").json()
    assert refused["code"] == "bad_amount"
    assert [it["field"] for it in refused["errors"]] == ["pay_points"]
    assert "spend 10 instead" in refused["detail"]
    nothing = shop.buy(total="0").json()
    assert [it["field"] for it in nothing["errors"]] == ["lines"]
    assert shop.buy(pay_points="10").status_code == 201
