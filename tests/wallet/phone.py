"""A phone that behaves as Apple's documentation says, written without looking at our own code."""

import json
from io import BytesIO
from typing import Any
from zipfile import ZipFile

from fastapi.testclient import TestClient
from httpx import Response


def contents(pkpass: bytes) -> dict[str, Any]:
    """`pass.json` of a pass."""
    with ZipFile(BytesIO(pkpass)) as archive:
        return dict(json.loads(archive.read("pass.json")))


def fields(content: dict[str, Any]) -> dict[str, dict[str, str]]:
    rows: dict[str, list[dict[str, str]]] = content["storeCard"]
    return {field["key"]: field for row in rows.values() for field in row}


class Phone:
    """One device. `client` reaches the web service, whatever host stands in the pass."""

    def __init__(self, client: TestClient, device: str = "device-1", push_token: str = "aa11") -> None:
        self.client, self.device, self.push_token = client, device, push_token
        self.passes: dict[str, dict[str, Any]] = {}
        self.modified: dict[str, str] = {}
        self.tag: str | None = None
        self.requests: list[int] = []

    def add(self, pkpass: bytes) -> Response:
        """Show the pass and register for its updates."""
        content = contents(pkpass)
        self.passes[content["serialNumber"]] = content
        return self.register(content["serialNumber"])

    def _base(self, serial: str) -> str:
        path = str(self.passes[serial]["webServiceURL"]).split("://", 1)[1].split("/", 1)[1]
        return f"/{path}/v1"

    def _auth(self, serial: str) -> dict[str, str]:
        return {"Authorization": f"ApplePass {self.passes[serial]['authenticationToken']}"}

    def _registration(self, serial: str) -> str:
        kind = self.passes[serial]["passTypeIdentifier"]
        return f"{self._base(serial)}/devices/{self.device}/registrations/{kind}/{serial}"

    def register(self, serial: str) -> Response:
        body = json.dumps({"pushToken": self.push_token})
        answer: Response = self.client.post(
            self._registration(serial), content=body, headers=self._auth(serial)
        )
        return answer

    def remove(self, serial: str) -> Response:
        answer: Response = self.client.delete(self._registration(serial), headers=self._auth(serial))
        del self.passes[serial]
        return answer

    def woken(self) -> list[str]:
        """What the phone shows after a push: the change messages with their new values."""
        some = next(iter(self.passes))
        kind = self.passes[some]["passTypeIdentifier"]
        since = {} if self.tag is None else {"passesUpdatedSince": self.tag}
        path = f"{self._base(some)}/devices/{self.device}/registrations/{kind}"
        answer = self.client.get(path, params=since)
        if answer.status_code == 204:
            return []
        listed = answer.json()
        notices = [notice for serial in listed["serialNumbers"] for notice in self.fetch(serial)]
        self.tag = listed["lastUpdated"]
        return notices

    def fetch(self, serial: str) -> list[str]:
        """Get the pass; what has changed in fields that announce it."""
        headers = self._auth(serial)
        if serial in self.modified:
            headers["If-Modified-Since"] = self.modified[serial]
        kind = self.passes[serial]["passTypeIdentifier"]
        answer = self.client.get(f"{self._base(serial)}/passes/{kind}/{serial}", headers=headers)
        self.requests.append(answer.status_code)
        if answer.status_code == 304:
            return []
        answer.raise_for_status()
        assert answer.headers["content-type"] == "application/vnd.apple.pkpass"
        self.modified[serial] = answer.headers["last-modified"]
        before, self.passes[serial] = fields(self.passes[serial]), contents(answer.content)
        return [
            field["changeMessage"].replace("%@", field["value"])
            for key, field in fields(self.passes[serial]).items()
            if "changeMessage" in field and before.get(key, {}).get("value") != field["value"]
        ]
