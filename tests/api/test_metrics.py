"""Numbers for Prometheus, read by its own parser."""

from datetime import timedelta

from prometheus_client.parser import text_string_to_metric_families

from scheduler.presence import Presence
from scheduler.throttle import pause
from tests.api.shop import Shop
from tests.api.test_cards import REISSUE, beat, card, downloaded, registered
from tests.wallet.phone import Phone

Numbers = dict[str, float]


def scraped(shop: Shop) -> Numbers:
    """Every sample by its name and labels; totals are those read after the scrape before."""
    prometheus = shop.with_key("metrics", f"prometheus-{shop.ticks.at:.0f}")
    prometheus.get("/metrics")
    shop.ticks.at += 60
    prometheus.get("/metrics")
    answer = prometheus.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain")
    families = text_string_to_metric_families(answer.text)
    return {
        f"{it.name.removeprefix('tidings_')}{''.join(it.labels.values())}": it.value
        for family in families
        for it in family.samples
    }


def test_cards_are_counted_from_their_tables(shop: Shop) -> None:
    links = registered(shop)
    registered(shop, "10043", "KV2")
    card(shop, "POST", customer="10043")
    phone = Phone(shop.stranger)
    phone.add(downloaded(shop, links))
    shop.buy(total="1000")
    beat(shop)
    phone.woken()
    now = scraped(shop)
    assert (now["card_issued"], now["card_held"], now["card_active"]) == (2, 1, 1)
    assert (now["card_installedapple"], now["card_installedgoogle"]) == (1, 0)
    assert (now["card_added_total"], now["card_removed_total"]) == (1, 0)
    assert (now["card_devices"], now["card_devices_waiting"]) == (1, 0)
    assert now["card_pushes_totalaccepted"] >= 1
    assert now["card_push_to_fetch_seconds_bucket+Inf"] == 1
    assert now["apple_certificate_expires_seconds"] > 0
    for serial in list(phone.passes):
        phone.remove(serial)
    assert scraped(shop)["card_removed_total"] == 1


def test_what_waits_is_told_at_once_with_how_long(shop: Shop) -> None:
    links = registered(shop)
    Phone(shop.stranger).add(downloaded(shop, links))
    card(shop, "POST", "/reissue", **REISSUE)
    shop.clock.move_by(timedelta(minutes=5))
    now = scraped(shop)
    assert (now["card_devices_waiting"], now["card_devices_oldest_wait_seconds"]) == (1, 300)


def test_how_messages_stand_is_told_by_channel(shop: Shop) -> None:
    registered(shop)
    Presence(shop.database, shop.clock, "serve", "0.1.0", list).say()
    now = scraped(shop)
    assert (now["processes"], now["trouble"], now["letters_waiting"]) == (1, 0, 0)
    assert (now["messages_duesms"], now["channel_opensms"]) == (0, 1)
    with shop.database.write() as connection:
        pause(connection, "sms", shop.clock.now())
    assert scraped(shop)["channel_opensms"] == 0


def test_only_a_key_for_metrics_reads_them_and_reads_nothing_else(shop: Shop) -> None:
    registered(shop)
    prometheus = shop.with_key("metrics")
    assert shop.stranger.get("/metrics").status_code == 401
    assert shop.with_key("till", "till-9").get("/metrics").status_code == 403
    assert prometheus.get("/api/v1/customers/10042").status_code == 403


def test_a_certificate_that_cannot_be_used_is_zero_seconds(shop: Shop) -> None:
    env = shop.services.workspace.path / ".env"
    env.write_text(env.read_text("utf-8") + "TIDINGS_APPLE_CERTIFICATE=gone.pem\n", "utf-8")
    assert scraped(shop)["apple_certificate_expires_seconds"] == 0
