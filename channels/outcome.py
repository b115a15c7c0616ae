"""What became of one message: values with a named reason, never an exception and never a bare boolean."""

from dataclasses import dataclass, field
from typing import Literal

FailureKind = Literal["temporary", "permanent", "configuration"]
AddressFault = Literal["dead", "opted_out"]


@dataclass(frozen=True, slots=True)
class Accepted:
    """The provider has taken it over, under this name of its own (Message-ID, SID, FCM name).

    `reported` is what it says of the message's way already, if it was asked afterwards: delivered, read or
    undelivered.
    """

    provider_id: str
    reported: Literal["delivered", "undelivered", "read"] | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Failed:
    """It certainly did not leave.

    `kind`: *temporary* may be tried again; *permanent* concerns this message or address; *configuration*
    is ours to mend (credentials, sender, regions), so nobody's address is to blame and trying again is
    futile until somebody did. `reason` is a short stable name, counted and shown. `detail` holds provider
    codes only, never an address, a text or a secret. `address` is what the provider told of the address:
    *dead* (hard bounce, unregistered device) or *opted_out* (STOP at the provider). `retry_after` is in
    seconds, where the provider asked for it.
    """

    kind: FailureKind
    reason: str
    detail: str = ""
    address: AddressFault | None = None
    retry_after: float | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """It may or may not have left; the channel's policy says what follows. `detail` is as in `Failed`."""

    reason: str
    detail: str = ""


Outcome = Accepted | Failed | Unknown
