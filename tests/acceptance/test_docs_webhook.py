"""What docs/webhook.md tells a retailer's engineer to do works with what we send."""

import json
import re
import shutil
import subprocess
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from pydantic import SecretStr

from channels.webhook.signing import keys_of, signature

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "webhook.md").read_text(encoding="utf-8")
KEY = f"whsec_{b64encode(b'a key of the retailer, kept in .env').decode()}"
OTHER = f"whsec_{b64encode(b'another key, older than the first').decode()}"
BODY = '{"type":"message","data":{"text":"Привіт"}}'.encode()

Receiver = Callable[[str, dict[str, str], bytes], bool]


def snippet(language: str) -> str:
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


def python(secret: str, headers: dict[str, str], body: bytes) -> bool:
    module = ModuleType("receiver")
    exec(snippet("python"), module.__dict__)
    answer: bool = module.is_ours(secret, headers, body)
    return answer


def node(secret: str, headers: dict[str, str], body: bytes) -> bool:
    given = json.dumps([secret, headers, body.decode()])
    program = f"{snippet('js')}\nconst [s, h, b] = {given};\nconsole.log(isOurs(s, h, Buffer.from(b)));"
    command = ["node", "--input-type=module", "-e", program]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout == "true\n"


def php(secret: str, headers: dict[str, str], body: bytes) -> bool:
    given = json.dumps([secret, headers, body.decode()])
    program = f"{snippet('php')}\nvar_dump(is_ours(...json_decode($argv[1], true)));"
    done = subprocess.run(["php", "-r", program, given], capture_output=True, text=True, check=True)
    return done.stdout == "bool(true)\n"


def there(receiver: Receiver) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(receiver.__name__), reason=f"no {receiver.__name__} here")


def sent(seconds_ago: int = 0, secrets: str = KEY) -> dict[str, str]:
    at = int(datetime.now(UTC).timestamp()) - seconds_ago
    signed = signature(keys_of(SecretStr(secrets)), "msg_1", at, BODY)
    return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": signed}


@pytest.mark.parametrize(
    "is_ours", [python, pytest.param(node, marks=there(node)), pytest.param(php, marks=there(php))]
)
def test_the_receivers_of_the_page_take_ours_and_refuse_what_is_not(is_ours: Receiver) -> None:
    assert is_ours(KEY, sent(), BODY)
    assert is_ours(KEY, sent(secrets=f"{OTHER} {KEY}"), BODY)
    assert not is_ours(OTHER, sent(), BODY)
    assert not is_ours(KEY, sent(), BODY.replace(b"message", b"massage"))
    assert not is_ours(KEY, sent(seconds_ago=3600), BODY)
    assert not is_ours(KEY, sent() | {"webhook-id": "msg_2"}, BODY)
    assert not is_ours(KEY, sent() | {"webhook-timestamp": "soon"}, BODY)
    assert not is_ours(KEY, {}, BODY)
