"""`tidings dry-run` as a marketer uses it: tables, files, a page, one customer, two versions."""

import csv
import hashlib
import json
import re
import shutil
from collections import Counter
from datetime import UTC, datetime
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from rich.console import Console

from campaigns.dryrun import Forecast
from campaigns.gates import NAMES
from tests.acceptance.test_cli import DAY, bring_in
from tests.support.shop import Shop, shop
from tidings.forecast_view import WHY, show

__all__ = ["shop"]


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves its shop for the others."""
    return tmp_path_factory.mktemp("filled") / "shop"


@pytest.fixture
def filled(shop: Shop, kept: Path) -> Shop:
    """A shop with customers, whose scenarios are live."""
    if not kept.exists():
        bring_in(shop)
        assert shop.run("apply", "--yes").code == 0
        shutil.copytree(shop.path, kept)
    shutil.rmtree(shop.path)
    shutil.copytree(kept, shop.path)
    return shop


def dry_run(shop: Shop, *words: str) -> Any:
    said = shop.run("dry-run", "bonus-expiring", "--at", DAY, *words)
    assert said.code == 0, said.err
    return said


def flat(page: str) -> str:
    """What stands in a panel, in one line."""
    return " ".join(page.replace("│", " ").split())


class Elements(HTMLParser):
    """Every element of a page with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, {name: value or "" for name, value in attrs}))

    def of(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.found if name == tag]


def test_the_table_tells_the_funnel_the_reasons_and_the_hours(filled: Shop) -> None:
    said = dry_run(filled).out
    assert "have not said yes to these channels" in said
    assert "no consent on" in said
    assert "leaving, by the hour of each customer's own clock" in said
    assert "2026-06-28 10:00" in said


def test_every_gate_is_told_in_words() -> None:
    assert set(WHY) == set(NAMES)


def test_a_look_in_the_night_says_why_everybody_is_too_late_and_where_to_look(filled: Shop) -> None:
    filled.change("scenarios/bonus-expiring.yaml", "valid_for: 20 hours", "valid_for: 2 hours")
    said = flat(dry_run(filled, "--at", "2026-06-28 02:00").out)
    assert "at 02:00 quiet hours (21:00-09:00) hold messages until valid_for (2 hours) is over" in said
    assert "see its own time: --at '2026-06-28 10:00'" in said
    assert "valid_for" not in dry_run(filled, "--at", "2026-06-28 10:00").out


def test_a_campaign_looked_at_in_the_night_tells_its_own_time(filled: Shop) -> None:
    text = "---\nsubject: Spring\n---\n<a href='{{ links.unsubscribe }}'>Spring</a>\n"
    for locale in ("uk", "en"):
        filled.write(f"messages/spring/{locale}/email.html", text)
    when = "when: {schedule: {at: 2026-07-01 11:30}}\n"
    steps = "steps: [{message: spring, send: [email]}]\nlimits: {valid_for: 90 minutes}\n"
    filled.write("scenarios/spring.yaml", when + steps)
    said = flat(filled.run("dry-run", "spring", "--at", "2026-06-28 02:00").out)
    assert "see its own time: --at '2026-07-01 11:30'" in said


def test_what_waits_for_the_morning_says_when_it_comes_and_who_is_nobody(filled: Shop) -> None:
    said = filled.run("dry-run", "bonus-expiring", "birthday", "--at", "2026-06-28 07:00").out
    assert "all 4 wait for the end of quiet hours" in said
    assert "· email on 28 Jun, 09:00, after quiet hours" in said
    assert "quiet_hours" not in said
    assert "nobody is due" in said


def test_the_json_has_the_documented_shape(filled: Shop) -> None:
    [found] = json.loads(dry_run(filled, "--format", "json").out)
    documented = set(re.findall(r'^  "(\w+)":', Path("docs/dry-run.md").read_text("utf-8"), re.MULTILINE))
    assert set(found) == documented
    assert found["hours"]["customers"] == [{"hour": "2026-06-28 10:00", "send": {"email": 4}}]
    assert all(sample["evidence"] for sample in found["samples"])


def test_one_customers_story_comes_without_the_funnel(filled: Shop) -> None:
    said = filled.run("dry-run", "--at", DAY, "--customer", "K-3").out
    assert "Тарас Мельник" in said
    assert "no_consent" in said
    assert "never said yes or no to marketing here" in said
    assert "to send" not in said
    assert "birthday · not due" in said
    # The raw occasion is for programs.
    assert "2026-06-30 / 3 days" not in said


def test_every_verdict_goes_into_a_file(filled: Shop, tmp_path: Path) -> None:
    file = tmp_path / "verdicts.csv"
    dry_run(filled, "--verdicts", str(file))
    rows = list(csv.DictReader(file.read_text("utf-8").splitlines()))
    assert sorted({(it["customer"], it["verdict"], it["gate"]) for it in rows}) == [
        ("K-1", "planned", ""), ("K-2", "planned", ""), ("K-3", "held_back", "no_consent"),
    ]  # fmt: skip


def test_the_page_needs_nothing_from_anywhere(filled: Shop, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert f"wrote {file}" in dry_run(filled, "--html", str(file)).out.replace("\n", "")
    page = Elements(file.read_text("utf-8"))
    assert page.of("script") == page.of("link") == page.of("img") == []
    [policy] = [it["content"] for it in page.of("meta") if it.get("http-equiv") == "Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert [it["href"] for it in page.of("a") if not it["href"].startswith("#")] == []
    # Letters are drawn apart: no script of theirs runs, and the policy keeps their pictures from loading.
    letters = page.of("iframe")
    assert len(letters) == 2  # English and Ukrainian
    assert {it["sandbox"] for it in letters} == {""}
    assert all("<html" in it["srcdoc"].lower() for it in letters)
    assert page.of("polygon")


def test_a_letter_without_preheader_or_page_is_drawn_as_it_is(filled: Shop, tmp_path: Path) -> None:
    preheader = next(
        line
        for line in (filled.path / "messages/bonus-expiring/uk/email.mjml").read_text("utf-8").splitlines()
        if line.startswith("preheader:")
    )
    filled.change("messages/bonus-expiring/uk/email.mjml", f"{preheader}\n", "")
    (filled.path / "messages/bonus-expiring/en/email.mjml").unlink()
    plain = "---\nsubject: Soon over\n---\nHurry up. {{ links.unsubscribe }}\n"
    filled.write("messages/bonus-expiring/en/email.txt", plain)
    file = tmp_path / "page.html"
    said = dry_run(filled, "--html", str(file), "--sample", "9").out
    page = file.read_text("utf-8")
    assert len(Elements(page).of("iframe")) == 1
    assert "<pre>Hurry up." in page
    assert "preheader" not in [it.get("class") for it in Elements(page).of("div")]
    assert "Soon over" in said


@pytest.mark.parametrize("width", [60, 80, 120])
def test_no_word_of_the_funnel_is_cut_off_at_the_edge_of_a_terminal(width: int) -> None:
    forecast = Forecast(
        "silence", 1, datetime(2026, 6, 28, 8, tzinfo=UTC), "UAH", candidates=84,
        gates=Counter({"not_in_audience": 13, "no_consent": 12}),
        reasons={"no_consent": Counter({"push: no_consent; email, sms: no_consent": 12})},
        send=Counter({"email": 42, "sms": 17}),
    )  # fmt: skip
    page = StringIO()
    show(Console(file=page, width=width, color_system=None), [forecast], ZoneInfo("Europe/Kyiv"))
    said = " ".join(line.strip("│ ").split("  ")[-1] for line in page.getvalue().splitlines())
    for gate in ("not_in_audience", "no_consent"):
        assert WHY[gate] in " ".join(said.split())


def test_the_page_of_one_customer_is_their_story(filled: Shop, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    dry_run(filled, "--customer", "K-1", "--html", str(file))
    text = file.read_text("utf-8")
    assert "Олена Шевченко" in text
    assert "said yes on 10 January 2025" in text
    assert Elements(text).of("polygon") == []


def test_two_versions_are_compared(filled: Shop, tmp_path: Path) -> None:
    filled.change("scenarios/bonus-expiring.yaml", "tier: [silver, gold]", "tier: gold")
    file = tmp_path / "page.html"
    said = dry_run(filled, "--compare", "live", "--html", str(file)).out
    assert "lose: they no longer get one" in said
    assert "planned → not in audience" in said
    assert "live → the files" in file.read_text("utf-8")
    [found] = json.loads(dry_run(filled, "--compare", "1", "--format", "json").out)
    assert (found["comparison"]["gain"], found["comparison"]["lose"]) == (0, 2)
    [same] = json.loads(dry_run(filled, "--compare", str(filled.path), "--format", "json").out)
    assert (same["comparison"]["gain"], same["comparison"]["lose"]) == (0, 0)


def test_a_text_that_changes_is_told_word_by_word_where_there_are_no_colours(filled: Shop) -> None:
    filled.change("messages/bonus-expiring/uk/email.mjml", "Ще є час:", "Маєте час:")
    said = dry_run(filled, "--compare", "live").out
    assert "[-Ще є-]{+Маєте+} час:" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--compare", "9"), "--compare: there is no version 9; the newest is 1"),
        (
            ("--compare", "nowhere"),
            "--compare: 'nowhere' is no version and no workspace; write 'live', a number or a folder",
        ),
        (("--compare", "²"), "--compare: '²' is no version"),
        (("--compare", "9" * 20), f"--compare: '{'9' * 20}' is no version"),
        (("--customer", "nobody"), "there is no customer 'nobody'"),
    ],
)
def test_what_cannot_be_found_is_said(filled: Shop, words: tuple[str, ...], sentence: str) -> None:
    said = filled.run("dry-run", "bonus-expiring", *words)
    assert (said.code, sentence in said.err) == (2, True), said.err


@pytest.mark.parametrize("option", ["--html", "--verdicts"])
def test_a_file_that_cannot_be_written_is_said(filled: Shop, option: str) -> None:
    said = filled.run("dry-run", "bonus-expiring", option, "/nowhere/file")
    assert (said.code, "cannot be written" in said.err) == (3, True)


def test_the_command_leaves_the_database_as_it_was_to_the_byte(filled: Shop, tmp_path: Path) -> None:
    file = filled.path / "tidings.db"
    before = hashlib.sha256(file.read_bytes()).hexdigest()
    dry_run(filled, "--html", str(tmp_path / "page.html"), "--verdicts", str(tmp_path / "v.csv"))
    dry_run(filled, "--compare", "live")
    dry_run(filled, "--customer", "K-1")
    assert hashlib.sha256(file.read_bytes()).hexdigest() == before
    assert {it.name for it in filled.path.glob("tidings.db*")} == {"tidings.db"}
