"""Numbers for Prometheus, read by its own parser."""

import json
import re
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from core.db import Database
from scheduler.presence import Presence
from scheduler.throttle import pause
from tests.api.shop import Shop
from tests.api.test_cards import REISSUE, beat, card, downloaded, registered
from tests.support.ports import free_port
from tests.wallet.phone import Phone
from tidings.api.card_figures import CardFigures

Numbers = dict[str, float]
ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:tidings|process)_[a-z_]+")
# There are no jobs where one process does everything, and it need not lead.
OF_MANY = {"tidings_jobs", "tidings_leaders"}


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
    assert (now["processesserve"], now["trouble"], now["letters_waiting"]) == (1, 0, 0)
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


def exposed(shop: Shop) -> set[str]:
    """The names of all samples that the service may tell, by the kinds that it declares."""
    scraped(shop)
    text = shop.with_key("metrics", "names").get("/metrics").text
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.MULTILINE))
    parts = {"histogram": ("_bucket", "_count", "_sum"), "gaugehistogram": ("_bucket", "_gcount", "_gsum")}
    return {f"{name}{part}" for name, kind in kinds.items() for part in ("", *parts.get(kind, ()))}


def named(text: str) -> set[str]:
    return set(NAME.findall(text))


def test_dashboard_and_alerts_ask_for_metrics_that_are_exposed_and_documented(shop: Shop) -> None:
    registered(shop)
    found = exposed(shop)
    missing = OF_MANY if shop.database.dialect == "sqlite" else set()
    dashboard = json.loads((ROOT / "deploy" / "monitoring" / "dashboard.json").read_text("utf-8"))
    queries = [it["expr"] for panel in dashboard["panels"] for it in panel.get("targets", ())]
    alerts = (ROOT / "deploy" / "monitoring" / "alerts.yml").read_text("utf-8")
    asked = named(" ".join(queries)) | named(" ".join(re.findall(r"expr: ([^\0]*?)(?:for|labels):", alerts)))
    assert asked - found == missing
    pages = [(ROOT / "docs" / name).read_text("utf-8") for name in ("monitoring.md", "card-page.md")]
    told = named(" ".join(pages)) | {f"tidings_card{end}" for end in re.findall("`(_[a-z_]+)", pages[1])}
    ours = {name for name in found if name.startswith("tidings_")}
    parts = ("_bucket", "_count", "_sum", "_gcount", "_gsum")
    assert {name for name in ours if not name.endswith(parts)} <= told


def test_requests_are_timed_by_the_template_of_their_route(shop: Shop) -> None:
    registered(shop)
    shop.till.get("/api/v1/customers/10042")
    shop.stranger.get("/nothing/of/the/kind/10042")
    counts = {
        name.removeprefix("api_request_seconds_count"): it
        for name, it in scraped(shop).items()
        if name.startswith("api_request_seconds_count")
    }
    assert counts["GET/api/v1/customers/{external_id}200"] >= 1
    assert counts["GETunmatched404"] >= 1
    assert not any("10042" in name for name in counts)


def test_a_request_keeps_its_id_and_one_that_is_none_gets_another(shop: Shop) -> None:
    given = shop.stranger.get("/healthz", headers={"X-Request-ID": "till-7:0001"})
    assert given.headers["x-request-id"] == "till-7:0001"
    made_up = shop.stranger.get("/healthz", headers={"X-Request-ID": 'a "b" {c}'})
    assert re.fullmatch("[0-9a-f]{16}", made_up.headers["x-request-id"])


def test_a_process_whose_database_is_away_still_tells_of_itself(shop: Shop) -> None:
    from sqlalchemy import text

    with shop.database.write() as connection:
        connection.execute(text("ALTER TABLE bundle_version RENAME TO gone"))
    now = scraped(shop)
    with shop.database.write() as connection:
        # The next test has the same database.
        connection.execute(text("ALTER TABLE gone RENAME TO bundle_version"))
    assert now["database_up"] == 0
    assert now["beat_alivenews"] == 1
    assert "messages_duesms" not in now


def test_figures_of_cards_outlast_a_database_that_is_away_and_are_read_once_it_is_back(shop: Shop) -> None:
    away, standing = Database(f"postgresql://127.0.0.1:{free_port()}/gone"), [shop.database]
    figures = CardFigures(lambda: standing[-1], shop.clock, shop.ticks)
    registered(shop)
    card(shop, "POST")
    figures.renew()
    known = figures.totals
    assert known is not None
    standing.append(away)
    shop.ticks.at += 3_600
    figures.renew()
    assert figures.totals == known
    registered(shop, "10043", "KV2")
    card(shop, "POST", customer="10043")
    standing.append(shop.database)
    figures.renew()
    assert figures.totals != known


@pytest.mark.parametrize("wrong", ["TIDINGS_EMAIL_PASSWORD_FILE=gone", "TIDINGS_EMAIL_PORT=many"])
def test_a_channel_that_is_set_up_wrongly_is_trouble_and_hides_no_number(shop: Shop, wrong: str) -> None:
    before = scraped(shop)
    env = shop.services.workspace.path / ".env"
    env.write_text(f"{env.read_text('utf-8')}{wrong}\n", "utf-8")
    now = scraped(shop)
    assert (now["database_up"], now["trouble"]) == (1, before["trouble"] + 1)
    assert set(before) - set(now) == set()
