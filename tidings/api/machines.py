"""Whether a program asked, and not the customer: as far as a request itself tells.

Sources: what mail providers' proxies and link checkers say of themselves. Gmail's and Yahoo's image proxies
fetch a picture when a person opens the message, so they are not machines here; Apple's Mail Privacy
Protection and Gmail's prefetching load it whether anybody reads or not. Nothing of a request is kept.
"""

import re
from collections.abc import Mapping

# Apple's proxy says no more than this of itself.
APPLE_PROXY = "Mozilla/5.0"
# Gmail's prefetching: a browser of 2015 with a second end.
GMAIL_PREFETCH = "Edge/12.246 Mozilla/5.0"
# CUBOT makes phones.
_PROGRAMS = re.compile(
    r"(?<!\bcu)bot\b|crawl|spider|slurp|preview|scanner|prefetch|monitor|headless|phantomjs"
    r"|barracuda|proofpoint|mimecast|ironport|fireeye|trellix|sophos|symantec|messagelabs|trendmicro|fortiguard"
    r"|safelinks|forefront|zscaler|cloudmark|mailguard|avanan|hornetsecurity|vadesecure|urldefense"
    r"|facebookexternalhit|^whatsapp|^$|^curl|^wget|python-|aiohttp|^java/|go-http-client|libwww|axios|guzzle",
    re.IGNORECASE,
)


def is_machine(headers: Mapping[str, str]) -> bool:
    """Whether the request says that nobody asked for it; `headers` find their names in any case."""
    agent = headers.get("user-agent", "").strip()
    purpose = f"{headers.get('purpose', '')} {headers.get('sec-purpose', '')} {headers.get('x-purpose', '')}"
    if "prefetch" in purpose.lower() or "preview" in purpose.lower():
        return True
    return agent == APPLE_PROXY or agent.endswith(GMAIL_PREFETCH) or bool(_PROGRAMS.search(agent))
