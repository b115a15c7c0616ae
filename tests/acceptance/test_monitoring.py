"""The dashboard and the alerts: valid, and about metrics that there are."""

import json
import re
import runpy
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scheduler.throttle import OF_ONE_MESSAGE

ROOT = Path(__file__).parents[2]
MONITORING, RUNBOOKS = ROOT / "deploy" / "monitoring", ROOT / "docs" / "runbooks"
DASHBOARD = json.loads((MONITORING / "dashboard.json").read_text("utf-8"))
COMMAND = re.compile(r"`tidings ([a-z-]+)|^tidings ([a-z-]+)", re.MULTILINE)


def alerts() -> list[dict[str, Any]]:
    [group] = YAML(typ="safe").load((MONITORING / "alerts.yml").read_text("utf-8"))["groups"]
    return list(group["rules"])


def test_the_dashboard_is_what_its_script_writes() -> None:
    written = runpy.run_path(str(ROOT / "scripts" / "dashboard"))["dashboard"]()
    assert written == DASHBOARD, "run: scripts/dashboard"


def test_the_panels_of_the_dashboard_lie_beside_each_other() -> None:
    places = [it["gridPos"] for it in DASHBOARD["panels"]]
    assert all(it["x"] >= 0 and it["w"] > 0 and it["x"] + it["w"] <= 24 for it in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        )  # fmt: skip
        assert apart, (one, other)
    assert len({it["id"] for it in DASHBOARD["panels"]}) == len(places)
    titles = [it["title"] for it in DASHBOARD["panels"]]
    assert len(titles) == len(set(titles))


def test_every_alert_has_its_runbook_and_every_runbook_its_alert() -> None:
    pages = {it["annotations"]["runbook_url"]: it["alert"] for it in alerts()}
    assert sorted(pages) == sorted(
        f"docs/runbooks/{page.name}" for page in RUNBOOKS.glob("*.md") if page.name != "README.md"
    )
    index = (RUNBOOKS / "README.md").read_text("utf-8")
    for page, alert in pages.items():
        text = (ROOT / page).read_text("utf-8")
        assert text.startswith(f"# {alert}\n")
        assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Impact", "How to look", "How to mend"]
        assert f"[{alert}]({Path(page).name})" in index


def test_the_runbooks_name_commands_and_panels_that_there_are() -> None:
    from typer.main import get_command

    from tidings.cli import app

    known = set(get_command(app).commands)  # type: ignore[attr-defined]
    titles = {it["title"] for it in DASHBOARD["panels"]}
    for page in RUNBOOKS.glob("*.md"):
        text = page.read_text("utf-8")
        named = {one or two for one, two in COMMAND.findall(text)}
        assert named <= known, page
        for line in re.findall(r"^On the dashboard: (.*)$", text, re.MULTILINE):
            assert set(re.findall(r"\*([^*]+)\*", line)) <= titles, page


def test_the_runbook_of_a_channel_left_alone_names_every_reason_that_is_ours_to_mend() -> None:
    sources = "".join(file.read_text("utf-8") for file in (ROOT / "channels").rglob("*.py"))
    named = re.findall(r'(?:[Ff]ailed|_all)\(\s*"configuration",\s*"(\w+)"', sources)
    reasons = set(named) - set(OF_ONE_MESSAGE)
    assert {"authentication_failed", "no_token", "sender_not_allowed"} <= reasons
    page = (RUNBOOKS / "channel-left-alone.md").read_text("utf-8")
    assert sorted(reasons - set(re.findall(r"`(\w+)`", page))) == []


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool comes with Prometheus")
def test_prometheus_takes_the_alerts_and_they_fire_when_they_should() -> None:
    for words in (["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]):
        done = subprocess.run(
            ["promtool", *words], cwd=MONITORING, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
