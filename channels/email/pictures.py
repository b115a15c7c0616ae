"""Pictures that stand beside a message's file, sent within the message (RFC 2387, RFC 2392)."""

import hashlib
import re
from collections.abc import Mapping

from channels.email.bodies import base64_lines, entity

TYPES = {"png": b"image/png", "jpg": b"image/jpeg", "jpeg": b"image/jpeg", "gif": b"image/gif"}
"""File suffixes, and what mail programs show; they do not show SVG or WebP everywhere."""

_SOURCE = re.compile(
    r"""(<img\b[^>]*?\ssrc\s*=\s*|\sbackground\s*=\s*)(["'])(?:\./)?([\w.-]+)\2""", re.IGNORECASE
)


class Pictures:
    """Puts a page's own pictures beside it. A picture is encoded once, however many messages carry it."""

    def __init__(self, domain: str) -> None:
        """`domain` is the sender's, of which the pictures' Content-IDs are."""
        self._domain = domain
        self._encoded: dict[tuple[str, bytes], tuple[str, bytes]] = {}

    def page(self, page: str, pictures: Mapping[str, bytes], boundary: bytes) -> bytes:
        """The page as a MIME part: alone, or related to the pictures that it shows.

        A picture that is not among `pictures` stays the link that it was. `boundary` is that of the message.
        """
        shown: dict[str, bytes] = {}

        def inlined(found: re.Match[str]) -> str:
            before, quote, name = found.groups()
            if name not in pictures or _suffix(name) not in TYPES:
                return found[0]
            cid, shown[name] = self._part(name, pictures[name])
            return f"{before}{quote}cid:{cid}{quote}"

        page = _SOURCE.sub(inlined, page)
        if not shown:
            return entity("html", page, boundary)
        inner = b"=." + boundary[2:]  # neither is the beginning of the other (RFC 2046, 5.1.2)
        parts = [entity("html", page, boundary), *shown.values()]
        body = b"".join(b"--%b\r\n%b\r\n" % (inner, each) for each in parts)
        return (
            b'Content-Type: multipart/related; type="text/html";\r\n boundary="%b"\r\n\r\n%b--%b--\r\n'
        ) % (inner, body, inner)  # fmt: skip

    def _part(self, name: str, content: bytes) -> tuple[str, bytes]:
        """The picture's Content-ID without its brackets, and its MIME part."""
        known = self._encoded.get((name, content))
        if known is None:
            cid = f"{hashlib.sha256(content).hexdigest()[:24]}@{self._domain}"
            head = (
                b"Content-Type: %b\r\nContent-Transfer-Encoding: base64\r\nContent-ID: <%b>\r\n"
                b'Content-Disposition: inline; filename="%b"\r\n\r\n'
            ) % (
                TYPES[_suffix(name)],
                cid.encode("ascii"),
                name.encode("ascii", "replace").replace(b"?", b"_"),
            )
            known = self._encoded[name, content] = (cid, head + base64_lines(content))
        return known


def _suffix(name: str) -> str:
    return name.rpartition(".")[2].lower()
