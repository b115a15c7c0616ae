"""The DKIM keys that the settings name."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from channels.email.addresses import ascii_address
from channels.transport import Malformed
from core.errors import EnvironmentFault

if TYPE_CHECKING:
    from channels.email import EmailSettings
    from channels.email.dkim import Signer

_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)


def signer_of(settings: "EmailSettings", sender_domain: str, env_file: Path | None) -> "Signer | None":
    """Who signs; None where no key is set. EnvironmentFault, one clear sentence, for a key that cannot."""
    if not (settings.dkim_key_file or settings.dkim_key):
        if settings.dkim_selector:
            raise EnvironmentFault(
                f"{settings.variable('dkim_selector')} is set without a key; name one in "
                f"{settings.variable('dkim_key_file')}, or leave both out to send unsigned mail"
            )
        return None
    # Only who signs waits for the libraries that this takes.
    from channels.email.dkim import Signer, load_keys

    selectors = _listed(settings.dkim_selector or "")
    keys = load_keys(_pems(settings, env_file), selectors, settings.variable("dkim_selector"))
    return Signer(_domain(settings, sender_domain), keys)


def _domain(settings: "EmailSettings", sender_domain: str) -> str:
    try:
        return ascii_address(f"x@{settings.dkim_domain or sender_domain}").partition("@")[2].lower()
    except Malformed:
        raise EnvironmentFault(
            f"{settings.variable('dkim_domain')} is no domain; write it as shop.example"
        ) from None


def _pems(settings: "EmailSettings", env_file: Path | None) -> Iterator[tuple[str, bytes]]:
    for name in _listed(settings.dkim_key_file or ""):
        path = env_file.parent / name if env_file else Path(name)
        try:
            yield str(path), path.read_bytes()
        except OSError as error:
            why = (error.strerror or "cannot be read").lower()
            raise EnvironmentFault(
                f"{settings.variable('dkim_key_file')} names {path}: {why}; "
                "put the private key there, readable by this service"
            ) from None
    if settings.dkim_key:
        variable = settings.variable("dkim_key")
        text = settings.dkim_key.get_secret_value().replace("\\n", "\n")
        yield from ((variable, pem.encode()) for pem in _PEM.findall(text) or [text])


def _listed(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]
