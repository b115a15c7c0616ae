"""By which proxy a provider is reached, for clients that bring a transport of their own.

httpx asks the environment only for those that bring none.
"""

from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


def proxy_to(url: str) -> str | None:
    """What HTTPS_PROXY (else ALL_PROXY) and NO_PROXY say of an https address; None: straight there.

    What travels in clear stays within the own network, by no proxy.
    """
    try:
        parts = urlsplit(url)
    except ValueError:  # the request says what is wrong with it
        return None
    if parts.scheme != "https" or not parts.hostname or proxy_bypass(parts.hostname):
        return None
    known = getproxies()
    proxy = known.get("https") or known.get("all")
    return f"http://{proxy}" if proxy and "://" not in proxy else proxy
