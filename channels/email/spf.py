"""How SPF names the host that hands mail to the world (RFC 7208, 5)."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

# Addresses and names that mean something within a house only: the world sees the mail come from another one.
_OWN_NETWORKS = tuple(
    ip_network(it) for it in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)
_OWN_NAMES = ("localhost", "local", "internal", "lan", "home.arpa")


def mechanism(host: str) -> str | None:
    """`a:`, `ip4:` or `ip6:` for a name or an address, in brackets or not; None for one of this house."""
    name = host.strip().removeprefix("[").removesuffix("]").removesuffix(".").lower()
    try:
        address = ip_address(name)
    except ValueError:
        own = "." not in name or name.endswith(tuple(f".{it}" for it in _OWN_NAMES))
        return None if own else f"a:{name}"
    return None if _is_own(address) else f"ip{address.version}:{address}"


def _is_own(address: IPv4Address | IPv6Address) -> bool:
    within = any(address in it for it in _OWN_NETWORKS if it.version == address.version)
    return within or address.is_loopback or address.is_link_local or address.is_unspecified
