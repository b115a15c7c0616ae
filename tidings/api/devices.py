"""What opened a page, as far as its User-Agent tells: which wallet it has, and whether it can open a pass.

It only chooses what stands first: every page offers the rest as well, since a User-Agent may lie. iPads call
themselves Macs; neither has a wallet of its own (a Mac hands a pass on to the iPhone by iCloud).
"""

import re
from dataclasses import dataclass
from typing import Literal

Platform = Literal["iphone", "android", "mac", "computer", "unknown"]

# Browsers inside other apps, by how they name themselves.
_APPS = re.compile(
    r"FBAN|FBAV|Instagram|Threads|Barcelona|Telegram|WhatsApp|Viber|\bLine/|MicroMessenger|Snapchat|Pinterest"
    r"|TikTok|musical_ly|BytedanceWebview|LinkedInApp|Twitter|VKAndroidApp|com\.vk|GSA/|\bwv\)"
)


@dataclass(frozen=True, slots=True)
class Device:
    """`in_app` is a browser inside another app, which often cannot open a pass nor reach the wallet."""

    platform: Platform
    in_app: bool = False

    @classmethod
    def of(cls, agent: str) -> "Device":
        """The device of a User-Agent."""
        platform = _platform(agent)
        # Every browser of an iPhone says Safari; only the views that apps embed do not.
        embedded = platform == "iphone" and "Safari/" not in agent
        return cls(platform, platform in ("iphone", "android") and bool(embedded or _APPS.search(agent)))

    @property
    def is_phone(self) -> bool:
        """Whether the card can stay on it."""
        return self.platform in ("iphone", "android")


def _platform(agent: str) -> Platform:
    if re.search(r"iPhone|iPod", agent):
        return "iphone"
    if "Android" in agent:
        return "android"
    if re.search(r"Macintosh|iPad", agent):
        return "mac"
    return "computer" if re.search(r"Windows|Linux|CrOS|X11", agent) else "unknown"
