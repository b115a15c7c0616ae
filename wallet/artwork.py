"""The card's pictures in every size that the wallets want, made once from one original of each.

Sizes: Apple's Wallet Passes documentation (points, times 1, 2 and 3) and Google Wallet's brand guidelines
(logo 660 × 660 shown in a circle, hero 1032 × 336).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

from core.errors import UserError
from wallet.design import Card

if TYPE_CHECKING:
    from PIL.Image import Image

Size = tuple[int, int]
ICON: Size = (29, 29)
LOGO: Size = (160, 50)
STRIP: Size = (375, 144)
GOOGLE_LOGO: Size = (660, 660)
GOOGLE_HERO: Size = (1032, 336)
SCALES = (1, 2, 3)
PIXELS_AT_MOST = 40_000_000
# Where each original is named in the card's file.
PLACES = {
    "icon": "images.icon", "logo": "images.logo", "strip": "images.strip",
    "hero": "google.hero", "google_logo": "google.logo",
}  # fmt: skip
_APPLE: dict[str, Size] = {"icon": ICON, "logo": LOGO, "strip": STRIP}


class Picture:
    """One original; `place` is the path at which the card's file names it."""

    def __init__(self, role: str, place: str, data: bytes) -> None:
        self.role, self.place, self.data = role, place, data
        self.digest = hashlib.sha256(data).digest()

    @cached_property
    def size(self) -> Size:
        """Width and height of the original in pixels. UserError if it is no picture, or too large."""
        from PIL import Image

        try:
            wide, high = Image.open(BytesIO(self.data)).size
        except Image.DecompressionBombError as error:
            raise UserError(f"{self.place} has far too many pixels; make it smaller") from error
        except OSError as error:
            raise self._unreadable() from error
        if wide * high > PIXELS_AT_MOST:
            raise UserError(f"{self.place} is {wide} × {high} pixels; make it smaller")
        return wide, high

    @cached_property
    def apple(self) -> dict[str, bytes]:
        """`icon.png`, `icon@2x.png` and `icon@3x.png`, or those of another role."""
        names = {scale: f"{self.role}{'' if scale == 1 else f'@{scale}x'}.png" for scale in SCALES}
        wide, high = _APPLE[self.role]
        return {name: self.sized((wide * scale, high * scale)) for scale, name in names.items()}

    def sized(self, size: Size) -> bytes:
        """A logo as large as fits, uncut; others fill the whole size, and what stands over is cut."""
        _ = self.size
        try:
            return _sized(self.data, size, whole=self.role == "logo")
        except (OSError, SyntaxError) as error:  # Pillow's word for a PNG that is damaged in its middle
            raise self._unreadable() from error

    def _unreadable(self) -> UserError:
        return UserError(f"{self.place} is not a picture that can be read; save it as PNG")


class Artwork:
    """The pictures of one version of a card. Keep it: making the sizes takes some tenths of a second."""

    def __init__(self, originals: Mapping[str, bytes], strips: Mapping[str, bytes] | None = None) -> None:
        """`originals` by role (`PLACES`), `strips` by the tier that has its own; any format of Pillow's."""
        self._originals = dict(originals)
        self.pictures = {role: Picture(role, PLACES[role], data) for role, data in originals.items()}
        own = {tier: Picture("strip", f"by_tier.{tier}.strip", data) for tier, data in (strips or {}).items()}
        self.tiers = {tier: self._with(strip) for tier, strip in own.items()}
        self.digest = _digest([*self.pictures.items(), *own.items()])
        """Of everything that is drawn here, for addresses that change when a picture does."""

    @classmethod
    def of(cls, card: Card, read: Callable[[str], bytes | None], folder: str = "cards") -> "Artwork":
        """Read what `card` names; `read` gives a file of the bundle by its path, None if there is none."""

        def found(place: str, path: str) -> bytes:
            data = read(f"{folder}/{path}")
            if data is None:
                raise UserError(f"{place}: there is no file {folder}/{path}; put a PNG there")
            return data

        images, google = card.images, card.google
        named = {
            "icon": images.icon, "logo": images.logo, "strip": images.strip,
            "hero": google.hero, "google_logo": google.logo,
        }  # fmt: skip
        strips = {tier: look.strip for tier, look in card.by_tier.items() if look.strip is not None}
        return cls(
            {role: found(PLACES[role], path) for role, path in named.items() if path is not None},
            {tier: found(f"by_tier.{tier}.strip", path) for tier, path in strips.items()},
        )

    def of_tier(self, tier: str | None) -> "Artwork":
        """The pictures of a tier; these ones if it has none of its own."""
        return self.tiers.get(tier or "", self)

    @cached_property
    def apple(self) -> dict[str, bytes]:
        """PNG files of a pass by name: `icon.png`, `icon@2x.png`, …"""
        files: dict[str, bytes] = {}
        for role in (each for each in _APPLE if each in self.pictures):
            files |= self.pictures[role].apple
        return dict(sorted(files.items()))

    @cached_property
    def apple_digest(self) -> str:
        """Of what a pass carries."""
        return _digest(each for each in self.pictures.items() if each[0] in _APPLE)

    @cached_property
    def google_digest(self) -> str:
        """Of what only Google shows; nothing without such pictures."""
        own = [each for each in self.pictures.items() if each[0] not in _APPLE]
        return _digest(own) if own else ""

    @cached_property
    def google(self) -> dict[str, bytes]:
        """PNG files that Google fetches from us: `logo.png`, and, with a strip, `hero.png` and tiers' own."""
        logo = self.pictures.get("google_logo", self.pictures["icon"])
        files = {"logo.png": logo.sized(GOOGLE_LOGO)}
        if hero := self.pictures.get("hero", self.pictures.get("strip")):
            files["hero.png"] = hero.sized(GOOGLE_HERO)
        for artwork in self.tiers.values():
            files[artwork.own_hero] = artwork.pictures["strip"].sized(GOOGLE_HERO)
        return files

    def google_hero(self, tier: str | None = None) -> str | None:
        """The name in `google` of a tier's wide picture; None if the card has none."""
        if (own := self.tiers.get(tier or "")) is not None:
            return own.own_hero
        return "hero.png" if {"hero", "strip"} & self.pictures.keys() else None

    @property
    def own_hero(self) -> str:
        """The name of a tier's wide picture: a level may be written in any letters, a link had better not."""
        return f"hero-{self.digest}.png"

    def _with(self, strip: Picture) -> "Artwork":
        """The same but for the strip, which Google too shows in place of another picture."""
        kept = {role: data for role, data in self._originals.items() if role != "hero"}
        other = Artwork({**kept, "strip": strip.data})
        other.pictures = {role: picture for role, picture in self.pictures.items() if role != "hero"}
        other.pictures["strip"] = strip
        return other


def _digest(parts: Iterable[tuple[str, Picture]]) -> str:
    named = sorted((name, picture.digest) for name, picture in parts)
    return hashlib.sha256(b"".join(name.encode() + digest for name, digest in named)).hexdigest()[:16]


# A new version of a program mostly has the pictures of the one before.
@lru_cache(maxsize=64)
def _sized(data: bytes, size: Size, *, whole: bool) -> bytes:
    from PIL import Image, ImageOps

    picture: Image.Image = Image.open(BytesIO(data))
    # Whether its maker saved it with a palette.
    indexed = picture.mode == "P"
    if picture.mode.startswith("I;16"):  # grey of sixteen bits: Pillow would cut off what is above eight
        picture = picture.convert("I").point(lambda grey: grey * (1 / 256)).convert("L")
    fitted = ImageOps.contain if whole else ImageOps.fit
    return _png(fitted(picture.convert("RGBA"), size, Image.Resampling.LANCZOS), indexed=indexed)


def _png(picture: "Image", *, indexed: bool) -> bytes:
    """PNG; with a palette again if the original had one (a third of the size, and passes travel by phone)."""
    from PIL.Image import Dither, Quantize

    opaque = picture.getchannel("A").getextrema() == (255, 255)
    if opaque:
        picture = picture.convert("RGB")
    if indexed:
        method = Quantize.MEDIANCUT if opaque else Quantize.FASTOCTREE
        picture = picture.quantize(256, method, dither=Dither.NONE)
    target = BytesIO()
    picture.save(target, "PNG", optimize=True)
    return target.getvalue()
