"""Which channels have addresses that can be suppressed."""

from collections.abc import Mapping

from channels import discover
from core.customers.suppressions import READ


def kinds() -> Mapping[str, str]:
    """Channel → the kind of its addresses (email, phone); an app and a messenger report theirs themselves."""
    known = {name: channel.address_kind for name, channel in discover().items()}
    return {name: kind for name, kind in sorted(known.items()) if kind in READ}
