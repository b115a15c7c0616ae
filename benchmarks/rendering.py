"""Rendering a newsletter for many customers: page of 8 KB, text and SMS, beside plain Jinja2.

    python -m benchmarks.rendering [--rounds 5] [--seconds 2] [--quick] [--profile]

Ours is what delivery calls for each message (`Library.render`, for email and for SMS), on contexts as
delivery makes them. Plain Jinja2 has the same templates (benchmarks/newsletter/), compiled once, with
autoescape for the page and with the same CLDR filters, on plain dictionaries. The words of both are compared
first. Counted are customers, each of whom gets all three texts. The offers, a loop of eight, are the same for
everybody; the name, the balance, the level and the links are each customer's own.
"""

import argparse
import cProfile
import gc
import pstats
import time
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import Environment

from benchmarks.report import Row, at_least, keep, machine
from campaigns.bundle import Bundle
from campaigns.running import make_ready
from core.collecting import collect_seldom
from templates.context import CustomerView, LinksView, ProgramView, TierView
from templates.library import Library

EXAMPLE = Path(__file__).parents[1] / "examples" / "kavarnia"
NAME, LOCALE = "newsletter", "en"
TEXTS = Path(__file__).with_name(NAME)
PEOPLE = 500
NAMES = ("Anna", "Olena", "D'Arcy", "Mykola", "Zoë", None)
GOAL = 3.5

Words = dict[str, str]
Render = Callable[[dict[str, Any]], Words]


def main() -> None:
    """Both, in turn in each round."""
    asked, before = _options(), machine()
    own = {f"messages/{NAME}/{LOCALE}/{it.name}": it.read_bytes() for it in TEXTS.iterdir()}
    library = make_ready(Bundle({**Bundle.read(EXAMPLE).files, **own})).library
    ours, theirs = _ours(library), _plain(library)
    mine, plain = [_context(number) for number in range(PEOPLE)], [_values(it) for it in range(PEOPLE)]
    size = _same(ours, theirs, mine, plain)
    if asked.profile:
        _profile(ours, mine)
        return
    collect_seldom()  # as `serve` does
    row = Row("page of 8 KB, text and SMS", "plain Jinja2", "/s", at_least(GOAL), "naive")
    for _ in range(asked.rounds):
        row.pairs.append((_rate(ours, mine, asked.seconds), _rate(theirs, plain, asked.seconds)))
    print(row)
    keep("rendering", [row], before, octets=size)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="how long each is measured")
    parser.add_argument("--quick", action="store_true", help="one short round, only to see that it runs")
    parser.add_argument("--profile", action="store_true", help="only where our time goes")
    asked = parser.parse_args()
    if asked.quick:
        asked.rounds, asked.seconds = 1, 0.3
    return asked


def _ours(library: Library) -> Render:
    def render(context: dict[str, Any]) -> Words:
        email = library.render(NAME, "email", LOCALE, context)
        sms = library.render(NAME, "sms", LOCALE, context)
        return {**email.parts, "sms": sms.parts["text"]}

    return render


def _plain(library: Library) -> Render:
    """Each part compiled once; the subject is given to the page, as a shop's own code does it."""
    made = []
    for channel in ("email", "sms"):
        for part in library.parts(library.slots[NAME, channel, LOCALE]):
            filters = library.environment(LOCALE, part.kind).filters
            environment = Environment(autoescape=part.kind == "html", trim_blocks=True, lstrip_blocks=True)
            environment.filters |= {name: filters[name] for name in ("points", "money")}
            name = "sms" if channel == "sms" else part.name
            made.append((name, environment.from_string(part.template)))

    def render(values: dict[str, Any]) -> Words:
        words: Words = {}
        for name, template in made:
            words[name] = template.render({**values, **words})
        return words

    return render


def _same(ours: Render, theirs: Render, mine: Sequence[Any], plain: Sequence[Any]) -> dict[str, int]:
    """Octets of each part; what is measured says the same, whatever it makes of spaces."""
    one: Words = {}
    for context, values in zip(mine, plain, strict=True):
        one, other = ours(context), theirs(values)
        for name, text in other.items():
            if one[name].split() != text.split():
                raise SystemExit(f"{name} is not the same:\n{one[name]}\n---\n{text}")
    sizes = {name: len(text.encode()) for name, text in one.items()}
    print(", ".join(f"{name} {octets:,} octets" for name, octets in sizes.items()))
    return sizes


def _rate(render: Render, contexts: Sequence[dict[str, Any]], seconds: float) -> float:
    """Customers a second of the processor."""
    gc.collect()
    done, began = 0, time.process_time()
    while (spent := time.process_time() - began) < seconds:
        for context in contexts[:100]:
            render(context)
        contexts = [*contexts[100:], *contexts[:100]]
        done += 100
    return done / spent


def _profile(render: Render, contexts: Sequence[dict[str, Any]]) -> None:
    profiler = cProfile.Profile()
    profiler.runcall(lambda: [render(it) for it in contexts for _ in range(10)])
    pstats.Stats(profiler).sort_stats("tottime").print_stats(25)


# --- the customers


def _values(number: int) -> dict[str, Any]:
    """What a template may speak of, as plain dictionaries."""
    name = NAMES[number % len(NAMES)]
    own = f"https://loyalty.kavarnia.example/u/{number:024x}"
    silver = number % 3 == 0
    return {
        "customer": {"external_id": f"c{number}", "name": name, "first_name": name},
        "balance": Decimal(number * 37 % 900),
        "tier": {
            "name": "silver" if silver else "gold", "next": "gold" if silver else None,
            "missing": Decimal(5000 - number) if silver else None,
        },
        "program": {
            "name": "Kavarnia", "currency": "UAH", "url": "https://kavarnia.example",
            "terms": "One bonus is one hryvnia. Bonuses pay for half of an order, and last for 180 days.",
        },
        "links": {"unsubscribe": f"{own}/stop", "preferences": f"{own}/choices", "card": f"{own}/card"},
    }  # fmt: skip


def _context(number: int) -> dict[str, Any]:
    """The same as delivery has it."""
    values = _values(number)
    return {
        **values,
        "customer": CustomerView(**values["customer"]), "tier": TierView(**values["tier"]),
        "program": ProgramView(**values["program"]), "links": LinksView(**values["links"]),
    }  # fmt: skip


if __name__ == "__main__":
    main()
