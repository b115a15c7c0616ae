"""Instead of Google, a folder: the demo needs no account."""

import json
from collections.abc import Sequence
from pathlib import Path

from wallet.google.calls import Answer, Call


class Folder:
    """Writes each body as a file, `<id>.json` in `loyaltyClass`, `loyaltyObject` or `message`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def send(self, calls: Sequence[Call]) -> list[Answer]:
        """Everything is taken."""
        return [self._take(call) for call in calls]

    def _take(self, call: Call) -> Answer:
        if call.body is None:
            return Answer(404)
        kind, _, rest = call.path.partition("/")
        name = rest.removesuffix("/addMessage")
        if rest != name:
            kind = "message"
        folder = self._folder / kind
        folder.mkdir(parents=True, exist_ok=True)
        body = {key: value for key, value in call.body.items() if value is not None}
        text = json.dumps(body, indent=2, ensure_ascii=False)
        (folder / f"{name or call.body['id']}.json").write_text(text + "\n", encoding="utf-8")
        return Answer(200)

    async def close(self) -> None:
        """Nothing is held."""
