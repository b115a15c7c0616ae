"""Whether colours can be told apart (WCAG 2.2, 1.4.3): contrast of texts with what is behind them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

from wallet.preview import apple
from wallet.preview.subject import Subject

ENOUGH, ENOUGH_LARGE = 4.5, 3.0
# A logo is not read letter by letter, and may have pale parts.
LOGO_ENOUGH = 2.0
# Alpha above which a pixel is part of the logo; with more of them than this it brings its own ground.
HALF_SEEN, FILLED = 127, 0.9


@dataclass(frozen=True, slots=True)
class Contrast:
    """`colour` of `what` on its `ground`: the ratio, and what it should be at least."""

    what: str
    colour: str
    ground: str
    ratio: float
    needed: float

    @property
    def enough(self) -> bool:
        """Whether it can be read."""
        return self.ratio >= self.needed


def ratio(one: str, other: str) -> float:
    """From 1 (the same) to 21 (black on white)."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rrggbb`, from 0 to 1."""
    channels = [value / 255 for value in bytes.fromhex(colour[1:])]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrasts(subject: Subject) -> Iterator[Contrast]:
    """Of everything that the card's own colours are used for."""
    from wallet.preview.google import ink_on

    face, colours = subject.face, subject.face.colours
    ground = colours.background
    yield _of("colours.text", colours.text, ground)
    yield _of("colours.label", colours.label, ground)
    strip = subject.pictures.get("strip.png")
    if face.primary and strip is not None:
        grounds = _behind(strip)
        worst = min(grounds, key=lambda behind: ratio(colours.text, behind))
        yield _of("colours.text over images.strip", colours.text, worst, ENOUGH_LARGE)
    ink = ink_on(ground)
    yield _of("colours.background under Google's text", ink, ground)


def logo_seen(subject: Subject) -> float:
    """How much of the logo can be told from the card's colour: 1 for all of it, or for one without holes."""
    from PIL import Image

    with Image.open(BytesIO(subject.pictures["logo.png"])) as opened:
        pixels = opened.convert("RGBA").tobytes()
    four = [pixels[at : at + 4] for at in range(0, len(pixels), 4)]
    drawn = Counter(it[:3] for it in four if it[3] > HALF_SEEN)
    if not drawn or drawn.total() > FILLED * len(four):
        return 1.0
    ground = subject.face.colours.background
    seen = (many for colour, many in drawn.items() if ratio(f"#{colour.hex()}", ground) >= LOGO_ENOUGH)
    return sum(seen) / drawn.total()


def _of(what: str, colour: str, ground: str, needed: float = ENOUGH) -> Contrast:
    return Contrast(what, colour, ground, ratio(colour, ground), needed)


def _behind(strip: bytes) -> list[str]:
    """What the strip looks like where the large field stands, in patches of about a letter."""
    from PIL import Image

    wide, high = apple.STRIP_SIZE
    with Image.open(BytesIO(strip)) as opened:
        picture = opened.convert("RGB").resize((int(wide), int(high)))
    part = picture.crop((int(apple.EDGE), 30, int(wide * 0.55), 112)).resize((6, 3), Image.Resampling.BOX)
    pixels = part.tobytes()
    return [f"#{pixels[at : at + 3].hex()}" for at in range(0, len(pixels), 3)]
