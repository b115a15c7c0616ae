"""The card's pictures in every size that the wallets want, made once from one original of each.

Sizes: Apple's Wallet Passes documentation (points, times 1, 2 and 3) and Google Wallet's brand guidelines
(logo 660 × 660 shown in a circle, hero 1032 × 336).
"""

import hashlib
from collections.abc import Callable, Mapping
from functools import cached_property
from io import BytesIO
from typing import TYPE_CHECKING

from core.errors import UserError
from wallet.design import Card

if TYPE_CHECKING:
    from PIL.Image import Image

ICON = (29, 29)
LOGO = (160, 50)
STRIP = (375, 144)
GOOGLE_LOGO = (660, 660)
GOOGLE_HERO = (1032, 336)
SCALES = (1, 2, 3)
PIXELS_AT_MOST = 40_000_000


class Artwork:
    """The pictures of one version of a card. Keep it: making the sizes takes some tenths of a second."""

    def __init__(self, originals: Mapping[str, bytes]) -> None:
        """`originals` by role: `icon`, `logo`, perhaps `strip`; any format that Pillow reads."""
        self._originals = dict(originals)
        self.digest = hashlib.sha256(
            b"".join(
                role.encode() + hashlib.sha256(data).digest()
                for role, data in sorted(self._originals.items())
            )
        ).hexdigest()[:16]

    @classmethod
    def of(cls, card: Card, read: Callable[[str], bytes | None], folder: str = "cards") -> "Artwork":
        """Read what `card` names; `read` gives a file of the bundle by its path, None if there is none."""
        named = {"icon": card.images.icon, "logo": card.images.logo, "strip": card.images.strip}
        found: dict[str, bytes] = {}
        for role, path in named.items():
            if path is None:
                continue
            data = read(f"{folder}/{path}")
            if data is None:
                raise UserError(f"images.{role}: there is no file {folder}/{path}; put a PNG there")
            found[role] = data
        return cls(found)

    @cached_property
    def apple(self) -> dict[str, bytes]:
        """PNG files of a pass by name: `icon.png`, `icon@2x.png`, …"""
        files: dict[str, bytes] = {}
        for scale in SCALES:
            suffix = ".png" if scale == 1 else f"@{scale}x.png"
            files[f"icon{suffix}"] = self._cover("icon", ICON, scale)
            files[f"logo{suffix}"] = self._contain("logo", LOGO, scale)
            if "strip" in self._originals:
                files[f"strip{suffix}"] = self._cover("strip", STRIP, scale)
        return dict(sorted(files.items()))

    @cached_property
    def google(self) -> dict[str, bytes]:
        """PNG files that Google fetches from us: `logo.png`, and `hero.png` if the card has a strip."""
        files = {"logo.png": self._cover("icon", GOOGLE_LOGO)}
        if "strip" in self._originals:
            files["hero.png"] = self._cover("strip", GOOGLE_HERO)
        return files

    def _open(self, role: str) -> "tuple[Image, bool]":
        """The original, and whether its maker saved it with a palette."""
        from PIL import Image

        try:
            picture = Image.open(BytesIO(self._originals[role]))
            if picture.width * picture.height > PIXELS_AT_MOST:
                raise UserError(
                    f"images.{role} is {picture.width} × {picture.height} pixels; make it smaller"
                )
            return picture.convert("RGBA"), picture.mode == "P"
        except OSError as error:
            raise UserError(f"images.{role} is not a picture that can be read; save it as PNG") from error

    def _cover(self, role: str, size: tuple[int, int], scale: int = 1) -> bytes:
        """Fill the whole size, cutting what stands over."""
        from PIL import Image, ImageOps

        picture, indexed = self._open(role)
        wanted = (size[0] * scale, size[1] * scale)
        return _png(ImageOps.fit(picture, wanted, Image.Resampling.LANCZOS), indexed=indexed)

    def _contain(self, role: str, size: tuple[int, int], scale: int = 1) -> bytes:
        """As large as fits, uncut."""
        from PIL import Image, ImageOps

        picture, indexed = self._open(role)
        wanted = (size[0] * scale, size[1] * scale)
        return _png(ImageOps.contain(picture, wanted, Image.Resampling.LANCZOS), indexed=indexed)


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
