"""A phone that behaves as Apple's documentation says, written without looking at our own code.

It knows nothing but the passes that it was given: where to register, by which token, whom to ask. What the
documentation promises it takes at its word, and an answer that breaks a promise ends the test.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha1
from io import BytesIO
from typing import Any
from urllib.parse import quote, urlsplit
from zipfile import ZipFile

from httpx import Client, Response

MIME = "application/vnd.apple.pkpass"
HTTP_DATE = re.compile(r"[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")


def contents(pkpass: bytes) -> dict[str, Any]:
    """`pass.json` of a pass, whose files are those of its manifest."""
    with ZipFile(BytesIO(pkpass)) as archive:
        manifest = json.loads(archive.read("manifest.json"))
        assert set(archive.namelist()) == {*manifest, "manifest.json", "signature"}
        for name, digest in manifest.items():
            assert sha1(archive.read(name), usedforsecurity=False).hexdigest() == digest, name
        return dict(json.loads(archive.read("pass.json")))


def fields(content: dict[str, Any]) -> dict[str, dict[str, str]]:
    rows: dict[str, list[dict[str, str]]] = content["storeCard"]
    return {field["key"]: field for row in rows.values() for field in row}


@dataclass(frozen=True, slots=True)
class Asked:
    """A question what changed: the tag it was asked with, and what was answered."""

    since: str | None
    serials: tuple[str, ...] = ()
    tag: str | None = None


class Phone:
    """One device. `client` reaches the web service, whatever host stands in the pass."""

    def __init__(self, client: Client, device: str = "device-1", push_token: str = "aa11") -> None:
        self.client, self.device, self.push_token = client, device, push_token
        self.passes: dict[str, dict[str, Any]] = {}
        self.files: dict[str, bytes] = {}
        self.modified: dict[str, str] = {}
        self.tag: str | None = None
        self.requests: list[int] = []
        self.diary: list[Asked] = []
        self.seen: list[tuple[str, str, bytes]] = []
        """Serial, Last-Modified and bytes of every pass that was fetched."""

    # --- what its owner does

    def add(self, pkpass: bytes) -> Response:
        """Show the pass and register for its updates."""
        return self.register(self.keep(pkpass))

    def keep(self, pkpass: bytes) -> str:
        """Show the pass; its serial."""
        content = contents(pkpass)
        serial = str(content["serialNumber"])
        self.passes[serial], self.files[serial] = content, pkpass
        return serial

    def remove(self, serial: str) -> Response:
        """Delete the pass."""
        answer = self.unregister(serial)
        for kept in (self.passes, self.files, self.modified):
            kept.pop(serial, None)
        return answer

    def shows(self, serial: str) -> dict[str, str]:
        """Key and value of every field."""
        return {key: field["value"] for key, field in fields(self.passes[serial]).items()}

    @property
    def named(self) -> tuple[str, ...]:
        """The passes that it was told to fetch when it asked last."""
        return self.diary[-1].serials

    # --- the protocol

    def register(self, serial: str) -> Response:
        """Also when the push token is a new one."""
        body = json.dumps({"pushToken": self.push_token})
        return self.client.post(self._registration(serial), content=body, headers=self._auth(serial))

    def unregister(self, serial: str) -> Response:
        """Updates are no longer wanted."""
        return self.client.delete(self._registration(serial), headers=self._auth(serial))

    def woken(self) -> list[str]:
        """What the phone shows after a push: the change messages with their new values."""
        notices: list[str] = []
        for base, kind in sorted({(self._base(it), self._kind(it)) for it in self.passes}):
            asked = self.ask(base, kind)
            # A pass that was deleted meanwhile is nobody's business.
            notices += [it for serial in asked.serials if serial in self.passes for it in self.fetch(serial)]
            self.tag = asked.tag or self.tag
        return notices

    def ask(self, base: str, kind: str) -> Asked:
        """Which passes have changed."""
        since = {} if self.tag is None else {"passesUpdatedSince": self.tag}
        answer = self.client.get(f"{base}/devices/{self._own}/registrations/{kind}", params=since)
        assert answer.status_code in (200, 204), answer.status_code
        if answer.status_code == 204:
            assert answer.content == b""
            self.diary.append(Asked(self.tag))
            return self.diary[-1]
        listed = answer.json()
        assert set(listed) == {"serialNumbers", "lastUpdated"}
        assert isinstance(listed["lastUpdated"], str), "a phone does not read a number"
        assert listed["serialNumbers"], "nothing to fetch is 204"
        assert len(set(listed["serialNumbers"])) == len(listed["serialNumbers"])
        self.diary.append(Asked(self.tag, tuple(listed["serialNumbers"]), listed["lastUpdated"]))
        return self.diary[-1]

    def fetch(self, serial: str) -> list[str]:
        """Get the pass; what has changed in fields that announce it."""
        headers = self._auth(serial)
        if serial in self.modified:
            headers["If-Modified-Since"] = self.modified[serial]
        answer = self.client.get(
            f"{self._base(serial)}/passes/{self._kind(serial)}/{serial}", headers=headers
        )
        self.requests.append(answer.status_code)
        if answer.status_code == 304:
            assert answer.content == b""
            return []
        answer.raise_for_status()
        assert answer.headers["content-type"] == MIME
        assert HTTP_DATE.fullmatch(answer.headers["last-modified"])
        return self._take(serial, answer.content, answer.headers["last-modified"])

    def _take(self, serial: str, pkpass: bytes, modified: str) -> list[str]:
        before, after = self.passes[serial], contents(pkpass)
        for fixed in ("passTypeIdentifier", "serialNumber", "authenticationToken", "teamIdentifier"):
            assert before[fixed] == after[fixed], f"{fixed} must never change"
        self.seen.append((serial, modified, pkpass))
        self.passes[serial], self.files[serial], self.modified[serial] = after, pkpass, modified
        old = fields(before)
        return [
            field["changeMessage"].replace("%@", field["value"])
            for key, field in fields(after).items()
            if "changeMessage" in field and old.get(key, {}).get("value") != field["value"]
        ]

    @property
    def _own(self) -> str:
        return quote(self.device, safe="")

    def _kind(self, serial: str) -> str:
        return str(self.passes[serial]["passTypeIdentifier"])

    def _base(self, serial: str) -> str:
        return f"{urlsplit(str(self.passes[serial]['webServiceURL'])).path}/v1"

    def _auth(self, serial: str) -> dict[str, str]:
        return {"Authorization": f"ApplePass {self.passes[serial]['authenticationToken']}"}

    def _registration(self, serial: str) -> str:
        return f"{self._base(serial)}/devices/{self._own}/registrations/{self._kind(serial)}/{serial}"
