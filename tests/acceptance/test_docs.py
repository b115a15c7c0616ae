"""What is documented is there, and what is there is documented."""

import re
from pathlib import Path

import pytest

from tests.support.reference import made
from tidings.reference import FOLDER

ROOT = FOLDER.parent.parent
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


@pytest.mark.parametrize("name", sorted(made()))
def test_a_reference_page_is_as_the_code_says(name: str) -> None:
    written = (FOLDER / name).read_text("utf-8")
    assert written == made()[name], "run: python -m tidings.reference"


def test_every_setting_says_what_it_is() -> None:
    rows = re.findall(r"^\| `(TIDINGS_\w+)` \|.*\| (.*) \|$", made()["settings.md"], re.MULTILINE)
    assert len(rows) > 80
    assert [name for name, about in rows if about.startswith("One of ;")] == []


@pytest.mark.parametrize("page", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=str)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    missing = [link for link in LINK.findall(page.read_text("utf-8")) if not (page.parent / link).exists()]
    assert not missing
