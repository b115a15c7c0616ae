"""The `.pkpass`: `pass.json`, translations, pictures, manifest and signature in one stored zip.

Source: Apple's Wallet Passes documentation.
"""

from collections.abc import Hashable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha1
from typing import TYPE_CHECKING

import orjson

from wallet.apple.archive import Archive, zipped
from wallet.apple.content import Issuer, kind, look, own
from wallet.apple.signature import Signer
from wallet.apple.strings import translations
from wallet.artwork import Artwork
from wallet.design import Face

if TYPE_CHECKING:
    from _hashlib import HASH

MIME = "application/vnd.apple.pkpass"


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Pictures as they lie at the beginning of every pass, and their part of the manifest, still open."""

    archive: Archive
    manifest: str


class Packager:
    """Makes passes for one version of a card; a tier's pictures and their hashes are laid out once."""

    def __init__(self, issuer: Issuer, artwork: Artwork, signer: Signer) -> None:
        self._issuer = issuer
        self._artwork = artwork
        self.signer = signer
        self._laid_out: dict[Artwork, _Pictures] = {}
        self._openings: dict[Hashable, tuple[bytes, HASH]] = {}

    def build(self, face: Face, serial: str, token: str, at: datetime, *, voided: bool = False) -> bytes:
        """One pass, signed as of `at`; the same arguments give the same bytes."""
        opening, hashed = self._opening(face)
        own_part = orjson.dumps(own(self._issuer, face, serial, token, voided=voided))[1:]
        hashed.update(own_part)
        pictures, translated = self._pictures(face.tier), translations(face)
        listed = "".join([f',"{name}":"{_hash(data)}"' for name, data in translated])
        manifest = f'{pictures.manifest}"pass.json":"{hashed.hexdigest()}"{listed}}}'.encode()
        members = [
            ("pass.json", opening, own_part),
            *[(name, b"", data) for name, data in translated],
            ("manifest.json", b"", manifest),
            ("signature", self.signer.beginning, self.signer.sign(manifest, at)),
        ]
        return zipped(pictures.archive, members)

    def _opening(self, face: Face) -> "tuple[bytes, HASH]":
        """The beginning of `pass.json`, the same for all cards that look alike, and its hash begun."""
        alike = kind(face)
        if (found := self._openings.get(alike)) is None:
            opening = orjson.dumps(look(self._issuer, face))[:-1] + b","
            found = self._openings[alike] = opening, sha1(opening, usedforsecurity=False)
        return found[0], found[1].copy()

    def _pictures(self, tier: str | None) -> _Pictures:
        artwork = self._artwork.of_tier(tier)
        if (found := self._laid_out.get(artwork)) is None:
            found = self._laid_out[artwork] = _lay_out(artwork)
        return found


def _lay_out(artwork: Artwork) -> _Pictures:
    files = artwork.apple
    listed = "".join(f'"{name}":"{_hash(data)}",' for name, data in files.items())
    return _Pictures(Archive((name, b"", data) for name, data in files.items()), f"{{{listed}")


def _hash(data: bytes) -> str:
    """SHA-1, as the format demands; what it guards is the signature over the manifest."""
    return sha1(data, usedforsecurity=False).hexdigest()
