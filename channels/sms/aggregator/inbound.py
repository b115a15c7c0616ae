"""What customers wrote back, as `channels.sms.http.inbound` describes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from channels.sms.aggregator import meaning
from channels.sms.aggregator.config import InboundConfig
from channels.sms.aggregator.reports import MOST_REPORTS
from channels.sms.aggregator.transport import PREFIX
from core.letters import is_kept


@dataclass(frozen=True, slots=True)
class Written:
    """One answer: `number` with its plus sign; `name` is the provider's for it, None where it has none."""

    number: str = field(repr=False)
    text: str = field(repr=False)
    name: str | None


def written(config: InboundConfig, document: Any) -> Iterator[Written]:
    """The answers of a document; what has no number is passed over, a text that is missing is empty."""
    each = meaning.thing(config.each, document) if config.each else document
    for one in (each if isinstance(each, list) else [each])[:MOST_REPORTS]:
        number = meaning.at(config.number, one)
        name = meaning.at(config.id, one) if config.id else None
        if number:
            text = meaning.at(config.text, one) or ""
            # Many leave the plus sign out, or a form made a space of it.
            known = f"{PREFIX}{name}" if name and is_kept(name) else None
            yield Written(f"+{number.strip().lstrip('+')}", text, known)
