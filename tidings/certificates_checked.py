"""What `tidings check` says of what signs passes and wakes phones: a fault, or that it ends soon."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from core.clock import MovableClock
from core.errors import EnvironmentFault, Problem
from core.program import Program
from core.source import Document
from scheduler.kit import apple_identity, apple_settings
from wallet.apple.certificates import configured, expiring, load, nfc_key
from wallet.apple.push import pusher_for

KIND = "certificate"
_PLACE = ("wallet", "apple")


def check_certificates(
    env_file: Path, program: Program, document: Document, now: datetime
) -> Iterator[Problem]:
    """At most one finding, at `wallet.apple` of program.yaml; none where nothing is set up."""
    identity = apple_identity(program)
    if identity is None:
        return
    try:
        settings = apple_settings(env_file)
        signer = load(settings, identity.pass_type, identity.team, now) if configured(settings) else None
        nfc_key(settings)
        pusher_for(settings, env_file.parent, identity.pass_type, identity.team, MovableClock(now))
    except EnvironmentFault as fault:
        what, _, fix = str(fault).partition("; ")
        yield document.problem(_PLACE, what, fix, kind=KIND)
        return
    if signer is not None and (ends := expiring(signer, now)) is not None:
        what, _, fix = ends.partition("; ")
        yield document.problem(_PLACE, what, fix, "warning", KIND)
