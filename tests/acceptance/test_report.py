"""`tidings report` as a marketer uses it: all scenarios, one of them, files, mistakes."""

import csv
import io
import json
import re
import shutil
from pathlib import Path

import pytest

from tests.acceptance.test_cli import bring_in
from tests.support.shop import Shop, day, shop

__all__ = ["shop"]

DAYS = ("--from", day(38), "--to", day(68))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test leaves its shop for the others."""
    return tmp_path_factory.mktemp("live") / "shop"


@pytest.fixture
def live(shop: Shop, kept: Path) -> Shop:
    """A shop whose scenarios are live and had their first look."""
    if not kept.exists():
        bring_in(shop)
        for words in (("apply", "--yes"), ("tick", "--at", f"{day(42)} 10:00")):
            said = shop.run(*words)
            assert said.code == 0, said.err
        shutil.copytree(shop.path, kept)
    shutil.rmtree(shop.path)
    shutil.copytree(kept, shop.path)
    return shop


def test_all_scenarios_stand_in_one_table_and_each_has_a_page_of_its_own(live: Shop) -> None:
    said = live.run("report")
    assert said.code == 0, said.err
    assert all(name in said.out for name in ("birthday", "win-back", "bonus-expiring", "if held out"))
    said = live.run("report", "bonus-expiring")
    assert said.code == 0, said.err
    assert "bonus-expiring · who entered from" in said.out
    assert "goal: a purchase within 14 days of the entry" in said.out
    said = live.run("report", "bonus-accrued", "--within", "2 days")
    assert "measured by a purchase within 2 days" in said.out


def test_programs_and_spreadsheets_read_the_same_figures(live: Shop) -> None:
    found = json.loads(live.run("report", *DAYS, "--format", "json").out)
    assert found["all_marketing"] is None  # nobody is held out of all marketing
    by_name = {it["scenario"]: it for it in found["scenarios"]}
    said = live.run("report", *DAYS, "--format", "csv", "--out", str(live.path / "out" / "results.csv"))
    assert said.code == 0, said.err
    rows = csv.DictReader(io.StringIO((live.path / "out" / "results.csv").read_text("utf-8")))
    for row in rows:
        same = by_name[row["scenario"]]
        assert int(row["entered"]) == same["entered"]
        assert int(row["planned"]) == sum(it["planned"] for it in same["steps"])
    assert sum(it["entered"] for it in by_name.values())


def test_a_table_goes_into_a_file_without_the_terminals_colours(live: Shop) -> None:
    live.monkeypatch.setenv("FORCE_COLOR", "1")
    file = live.path / "out" / "results.txt"
    said = live.run("report", "bonus-expiring", "--out", str(file))
    assert said.code == 0, said.err
    assert "bonus-expiring · who entered from" in file.read_text("utf-8")
    assert "\x1b" not in file.read_text("utf-8")


def test_a_page_to_pass_on_needs_nothing_else(live: Shop) -> None:
    file = live.path / "out" / "results.html"
    said = live.run("report", *DAYS, "--html", str(file))
    assert (said.code, said.err.strip()) == (0, f"wrote {file}")
    page = file.read_text("utf-8")
    headings = [title.strip() for title in re.findall(r"<h2>(.*?)</h2>", page)]
    assert headings[0] == "All scenarios"
    assert "win-back" in headings
    assert "birthday" not in headings  # nobody entered
    assert not re.findall(r"<(?:script|img|link|iframe)|https?:|url\(", page)
    alone = live.run("report", "birthday", *DAYS, "--html", str(file))
    assert alone.code == 0, alone.err
    assert "nobody entered in these days" in file.read_text("utf-8")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("win-bakc",), "no scenario 'win-bakc' was ever live; did you mean 'win-back'?"),
        (("--from", "2026-02-10", "--to", "2026-02-01"), "write them in order"),
        (("--from", "Monday"), "--from: 'Monday' is no day; write for example 2026-03-01"),
        (("--within", "0 days"), "--within: '0 days' is no length of time; write for example '14 days'"),
        (("--within", "soon"), "--within: 'soon' is no length of time"),
        (("--to", "0001-01-01"), "the year 1 is not between 1970 and"),
        (("--to", "9999-12-31"), "write days like 2026-03-01"),
    ],
)
def test_a_mistake_is_one_sentence(live: Shop, words: tuple[str, ...], sentence: str) -> None:
    said = live.run("report", *words)
    assert (said.code, len(said.err.strip().splitlines())) == (2, 1)
    assert sentence in said.err


def test_before_anything_is_live_nothing_has_come_of_it(shop: Shop) -> None:
    said = shop.run("report")
    assert said.code == 2
    assert "nothing is live yet" in said.err
