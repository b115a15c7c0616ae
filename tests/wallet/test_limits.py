"""The platforms' limits: one table, the page that shows it, and what a card goes beyond.

The words of each finding stand in tests/campaigns/files/workspaces/card-limits and card-facts.
"""

import shutil
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from PIL import Image

from tests.wallet.cards import EXAMPLE, Guest, artwork, designed, load_card
from tidings.checks import everything
from tidings.workspace import Workspace
from wallet import checks
from wallet.apple import content
from wallet.artwork import Artwork
from wallet.design import NFC_BYTES, Card
from wallet.google import bodies, standing
from wallet.limits import CELLS, GOOGLE_PLACES, LIMITS, MODULES, NFC, PLACES, ROWS, Limit
from wallet.preview import Subject

PAGE = Path(__file__).parents[2] / "docs" / "cards.md"


def row(limit: Limit) -> str:
    """A line of the page's table."""
    amount = f"{limit.at_most} {limit.unit}" if limit.at_most else limit.unit
    return f"| {checks.NAMES[limit.wallet]}: {limit.what} | {amount} | {limit.beyond} |"


def picture(wide: int, high: int) -> bytes:
    target = BytesIO()
    Image.new("P", (wide, high)).save(target, "PNG")
    return target.getvalue()


def test_the_page_shows_every_limit_and_no_other() -> None:
    shown = [
        line for line in PAGE.read_text("utf-8").splitlines() if line.startswith(("| Apple", "| Google"))
    ]
    assert shown == [row(limit) for limit in LIMITS]


def test_the_card_of_the_page_has_no_finding(tmp_path: Path) -> None:
    text = PAGE.read_text("utf-8").partition("```yaml\n")[2].partition("```")[0]
    shop = tmp_path / "shop"
    shutil.copytree(EXAMPLE, shop)
    (shop / "cards" / "loyalty.yaml").write_text(text, "utf-8")
    here = Workspace(shop)
    assert everything(here, here.bundle()) == []


def test_the_page_has_every_key_of_the_file() -> None:
    lines = PAGE.read_text("utf-8").splitlines()
    told = [line.split("`")[1] for line in lines if line.startswith("| `")]
    assert set(Card.model_fields) <= set(told)


def test_what_is_sent_to_the_platforms_keeps_to_the_table() -> None:
    assert PLACES.at_most == content.LOCATIONS_AT_MOST
    assert GOOGLE_PLACES.at_most == bodies.LOCATIONS_AT_MOST
    assert (MODULES.at_most, ROWS.at_most) == (standing.MODULES_AT_MOST, standing.ROWS_AT_MOST)
    assert (CELLS.at_most, NFC.at_most) == (standing.CELLS_AT_MOST, NFC_BYTES)


def test_the_example_goes_beyond_nothing() -> None:
    card, face = load_card(), Guest().face()
    found = [*checks.of_card(card), *checks.of_face(card, face), *checks.of_pictures(artwork())]
    assert found == []


def test_a_finding_is_told_once_with_the_languages_in_which_it_is_so() -> None:
    card = designed(links=[{"key": "site", "label": "Усі наші кав'ярні та меню", "uri": "tel:+380441234567"}])
    faces = [Guest(locale=locale).face(card) for locale in ("uk", "en")]
    found = [it for face in faces for it in checks.of_face(card, face)]
    assert list(checks.told(found, ["apple"])) == [], "a program without Google hears nothing of it"
    [(finding, sentence)] = checks.told(found)
    assert (finding.path, finding.severity) == ("links.0.label", "warning")
    assert sentence == (
        "Google shows 20 characters of a link's label in 'uk' and 'en': it ends after 'Усі наші кав'ярні та'"
    )


@pytest.mark.parametrize(
    ("strip", "told"),
    [((1125, 432), 0), ((2250, 864), 0), ((800, 307), 2), ((1125, 900), 2), ((3000, 500), 2)],
)
def test_a_picture_is_large_enough_and_has_the_shape_of_its_place(strip: tuple[int, int], told: int) -> None:
    originals = {"icon": picture(660, 660), "logo": picture(960, 240), "strip": picture(*strip)}
    assert len(list(checks.of_pictures(Artwork(originals)))) == told


def test_a_wide_picture_of_googles_own_spares_the_strip(pictures: Artwork) -> None:
    originals = {"icon": picture(660, 660), "logo": picture(960, 240), "strip": picture(1125, 432)}
    own = Artwork({**originals, "hero": picture(500, 163)})
    [finding] = checks.of_pictures(own)
    assert (finding.path, "enlarged 2.1 times" in finding.what) == ("google.hero", True)
    gold = Artwork(originals, {"gold": picture(500, 192)})
    assert {it.path for it in checks.of_pictures(gold)} == {"by_tier.gold.strip"}


def drawn(card: Card, guest: Guest, pictures: Artwork) -> list[checks.Finding]:
    subject = Subject(
        card, guest.face(card), pictures, datetime(2026, 3, 1, tzinfo=UTC), ZoneInfo("Europe/Kyiv")
    )
    return list(checks.of_drawing(subject))


def test_the_example_is_drawn_without_a_finding(pictures: Artwork) -> None:
    assert drawn(load_card(), Guest(), pictures) == []


def test_a_code_too_thin_for_readers_and_a_card_without_any_are_told(pictures: Artwork) -> None:
    card = designed(barcode={"kind": "code128", "message": "{{ customer.card }}"})
    [thin] = drawn(card, Guest(card="KV-7Q" * 8), pictures)
    assert (thin.path, thin.kind) == ("barcode.message", "card-not-everywhere")
    assert thin.what.startswith("its Code 128 bars are 0.")
    [none] = checks.of_card(designed(barcode=None, nfc=None))
    assert (none.path, none.what) == ("barcode", "a till cannot read this card")


def test_a_logo_lost_in_the_colour_of_a_level_is_told(pictures: Artwork) -> None:
    pale = designed(colours={"background": "#ffffff", "text": "#000000", "label": "#444444"}, by_tier={})
    assert [it.path for it in drawn(pale, Guest(), pictures)] == ["images.logo"]


def test_a_level_without_contrast_is_told_where_its_colour_stands(pictures: Artwork) -> None:
    card = designed(by_tier={"gold": {"background": "#f0c040"}})
    told = [(it.path, it.kind) for it in drawn(card, Guest(tier="gold"), pictures)]
    assert ("by_tier.gold.background", "card-contrast") in told
    assert drawn(card, Guest(), pictures) == []
