"""The demo: a coffee chain's first day with Tidings, on this machine alone.

Everything is the real thing: the same import, looks, gates, delivery and cards that a shop runs, with
transports that write into a folder and a certificate made on the spot.
"""

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from sqlalchemy import select

from campaigns.dryrun import DryRun
from campaigns.running import Running
from campaigns.tables import Message
from campaigns.versions import apply
from core.clock import MovableClock, SystemClock
from core.customers.profiles import CUSTOMER
from core.errors import UserError
from core.imports import import_file
from core.purchases import receipts
from core.purchases.receipts import Line, Purchase
from core.units import at_local
from scheduler.cards import Cards, CardsDone
from scheduler.tick import Ticked, tick
from tidings import demo_data, forecast_view, tick_view
from tidings.card_pictures import write_pictures
from tidings.cards import cards_of
from tidings.console import console, import_sentence, local, table
from tidings.example import write_workspace
from tidings.logs import configure
from tidings.workspace import Workspace
from tidings.workspace_tests import run_all
from wallet import registrations
from wallet.preview import Subject
from wallet.tables import CURRENT, PASS

MESSAGE = Message.__table__  # type: ignore[attr-defined]
MARKER = ".tidings-demo"
KINDS = ("products", "stores", "customers", "consents", "receipts")
CARD_HOLDERS = 12


@dataclass(slots=True)
class Day:
    """What the demo did, to be told at its end."""

    here: Workspace
    running: Running
    clock: MovableClock
    out: Console
    people: list[demo_data.Person]
    ticks: list[Ticked] = field(default_factory=list)
    cards: list[CardsDone] = field(default_factory=list)
    pictures: list[Path] = field(default_factory=list)


def run(directory: Path) -> None:
    """Make the shop anew in `directory` and live through a morning; prints as it goes."""
    _clear(directory)
    configure("warning")
    out = console()
    out.rule("[bold]Tidings demo: a morning at Kavarnia[/bold]", align="left", style="cyan")
    write_workspace(directory)
    (directory / MARKER).touch()
    with Workspace(directory).closing() as here:
        running = here.files()
        clock = MovableClock(_morning(running))
        people = demo_data.write(directory / "data", clock.now().date(), running.program.zone)
        day = Day(here, running, clock, out, people)
        _bring_in(day)
        _rehearse(day)
        _make_live(day)
        _forecast(day)
        asyncio.run(_live_through(day))
        _tell(day)


def _clear(directory: Path) -> None:
    if not directory.exists() or not any(directory.iterdir()):
        return
    if not (directory / MARKER).exists():
        raise UserError(f"{directory} holds something that is not the demo's; name another folder")
    shutil.rmtree(directory)


def _morning(running: Running) -> datetime:
    """Just before ten on the newest day whose morning is over."""
    zone = running.program.zone
    now = SystemClock().now()
    today = now.astimezone(zone).date()
    start = at_local(today, time(9, 59), zone)
    return (
        start if now >= start + timedelta(hours=2) else at_local(today - timedelta(days=1), time(9, 59), zone)
    )


def _step(day: Day, number: int, title: str) -> None:
    day.out.print(f"\n[bold cyan]{number}[/bold cyan] [bold]{title}[/bold]")


def _bring_in(day: Day) -> None:
    _step(day, 1, "Bring in what the shop has (tidings import)")
    for kind in KINDS:
        file = day.here.path / "data" / f"{kind}.csv"
        report = import_file(
            day.here.database,
            day.running.program,
            day.here.addresses,
            kind,
            file,
            recorded_at=day.clock.now(),
        )
        day.out.print(Padding(import_sentence(report), (0, 0, 0, 2)))
    with day.here.database.write() as connection:
        rows = connection.execute(select(CUSTOMER.c.id, CUSTOMER.c.external_id).order_by(CUSTOMER.c.id)).all()
        # The shop's app registers its installations through the API.
        apps = [(row.id, "push", f"demo-phone-{row.external_id}") for row in rows[::3]]
        day.here.addresses.add(connection, apps, day.clock.now())


def _rehearse(day: Day) -> None:
    _step(day, 2, "Try the scenarios with a movable clock (tidings test)")
    files = {
        f"tests/{path.name}": path.read_text("utf-8") for path in (day.here.path / "tests").glob("*.yaml")
    }
    results = run_all(day.here.bundle(), files)
    said = ", ".join(
        f"{result.name} [{'green' if result.passed else 'red'}]{'passed' if result.passed else 'failed'}[/]"
        for result in results
    )
    day.out.print(f"  {said}")


def _make_live(day: Day) -> None:
    _step(day, 3, "Make it live (tidings apply)")
    with day.here.database.write() as connection:
        applied = apply(connection, day.running, "demo", day.clock.now())
    day.running = day.here.live.running()
    day.out.print(f"  version {applied.version}: {', '.join(applied.started)}")


def _forecast(day: Day) -> None:
    zone = day.running.program.zone
    at = day.clock.now() + timedelta(minutes=1)
    _step(day, 4, f"Look before you leap (tidings dry-run bonus-expiring --at '{local(at, zone)}')")
    channels = day.here.channels(day.running.program)
    with day.here.database.read() as connection:
        forecaster = DryRun(
            connection, day.running, channels, day.here.links(day.running.program), at, sample=2
        )
        forecast = forecaster.run(day.running.scenarios["bonus-expiring"])
    forecast_view.show(day.out, [forecast], zone)


async def _live_through(day: Day) -> None:
    cards = cards_of(day.here, day.clock)
    channels = day.here.channels(day.running.program)
    for channel in channels.values():
        await channel.open()
    try:
        await _hand_out(day, cards)
        for number, (hour, minute, title) in enumerate(
            ((10, 0, "Ten o'clock"), (11, 0, "Eleven o'clock")), start=5
        ):
            _step(day, number, f"{title}: look and deliver (tidings tick)")
            await _tick(day, channels, cards, hour, minute)
        _step(day, 7, "A till sends receipts; the messages and cards follow within seconds (tidings serve)")
        day.clock.move_by(timedelta(minutes=15))
        _sell(day)
        await _tick(day, channels, cards, 11, 16)
    finally:
        await cards.close()
        for channel in channels.values():
            await channel.close()


async def _tick(day: Day, channels: Any, cards: Cards, hour: int, minute: int) -> None:
    zone = day.running.program.zone
    day.clock.move_to(at_local(day.clock.now().astimezone(zone).date(), time(hour, minute), zone))
    ticked = await tick(
        day.here.database, day.here.live, channels, day.here.links(day.running.program), day.clock
    )
    tick_view.show(day.out, ticked, zone, {})
    day.ticks.append(ticked)
    day.cards.append(await cards.beat(timedelta(0)))


async def _hand_out(day: Day, cards: Cards) -> None:
    """Some customers have added the card: their phones are registered as Apple's are."""
    with day.here.database.read() as connection:
        chosen = connection.execute(_buyers(day).limit(CARD_HOLDERS)).all()
    folder = day.here.outbox / "cards"
    folder.mkdir(parents=True, exist_ok=True)
    for row in chosen:
        issued = await cards.issue(row.id)
        if issued is None or issued.pkpass is None:
            continue
        (folder / f"{row.external_id}.pkpass").write_bytes(issued.pkpass)
        (folder / f"{row.external_id}-google.txt").write_text(f"{issued.google_link}\n", "utf-8")
        with day.here.database.write() as connection:
            own = connection.execute(select(PASS).where(PASS.c.customer_id == row.id, CURRENT)).one()
            registrations.register(
                connection,
                own.serial,
                f"demo-device-{row.external_id}",
                f"demo-token-{row.id}",
                day.clock.now(),
            )
    await cards.beat(timedelta(0))


def _buyers(day: Day) -> Any:
    """Customers who come to the till today: of each tier some, those near the next one first."""
    ids = [person.customer for person in day.people if person.habit in ("office", "regular")]
    return (
        select(CUSTOMER.c.id, CUSTOMER.c.external_id)
        .where(CUSTOMER.c.external_id.in_(ids))
        .order_by(CUSTOMER.c.id)
    )


def _sell(day: Day) -> None:
    program = day.running.program
    with day.here.database.write() as connection:
        chosen = connection.execute(_buyers(day).limit(CARD_HOLDERS)).all()
        at = day.clock.now()
        bought = [
            Purchase(
                f"TILL-{number}",
                row.external_id,
                at,
                (Line("beans-1kg", 1000 * (number + 1), program.to_money(890 * (number + 1))),),
            )
            for number, row in enumerate(chosen[:8])
        ]
        outcomes = receipts.record(connection, program, bought, at, live=True)
    shown = table("", "receipt", "customer", "earned", "balance", "tier", right=("earned", "balance"))
    for outcome in outcomes:
        if isinstance(outcome, receipts.Recorded):
            answer = outcome.answer
            shown.add_row(
                answer["receipt"],
                answer["customer"],
                f"+{answer['earned']}",
                answer["available"],
                answer["tier"],
            )
    day.out.print(shown)


def _tell(day: Day) -> None:
    _show_cards(day)
    _step(day, 9, "Where to look")
    for name, path in _places(day):
        day.out.print(f"  {name:28} {path}", soft_wrap=True, markup=False)
    day.out.print()
    workspace = day.here.path
    day.out.print(f"  Ask about anybody:     .venv/bin/tidings -w {workspace} customer {_talkative(day)}")
    day.out.print(
        f"  Change a scenario:     {workspace}/scenarios/, then: .venv/bin/tidings -w {workspace} check"
    )
    day.out.print(f"  Let it run by itself:  .venv/bin/tidings -w {workspace} serve")


def _show_cards(day: Day) -> None:
    _step(day, 8, "Cards that changed")
    changed = [change for done in day.cards for change in done.changed]
    notes = tuple(dict.fromkeys(note for done in day.cards for note in done.notes))
    tick_view.show_cards(day.out, CardsDone(changed=changed, notes=notes))
    _say_news(day)
    _fetch(day, [change.customer for change in changed])


def _say_news(day: Day) -> None:
    """What scenarios have said on the cards themselves."""
    told = select(CUSTOMER.c.external_id, PASS.c.news_title, PASS.c.news).join(
        PASS, PASS.c.customer_id == CUSTOMER.c.id
    )
    with day.here.database.read() as connection:
        rows = connection.execute(told.where(PASS.c.news.is_not(None)).order_by(CUSTOMER.c.id)).all()
    if rows:
        said = " ".join(part for part in (rows[0].news_title, rows[0].news) if part)
        day.out.print(
            f"  {len(rows)} cards have a message; that of {rows[0].external_id} says: {said}", markup=False
        )


def _fetch(day: Day, customers: list[str]) -> None:
    """What the phones fetch now that they were woken; and a picture of the first."""
    cards = cards_of(day.here, day.clock)
    folder = day.here.outbox / "cards"
    kit = cards.kit()
    for name in customers:
        with day.here.database.read() as connection:
            customer_id = connection.scalar(select(CUSTOMER.c.id).where(CUSTOMER.c.external_id == name))
        content = cards.apple_pass(customer_id) if customer_id else None
        if content:
            (folder / f"{name}.pkpass").write_bytes(content)
        face = cards.face(customer_id) if customer_id and not day.pictures else None
        if face and kit:
            zone = kit.deck.running.program.zone
            subject = Subject(kit.deck.card, face, kit.artwork, day.clock.now(), zone)
            day.pictures += write_pictures([subject], folder, name)


def _places(day: Day) -> list[tuple[str, Path]]:
    outbox = day.here.outbox
    wanted = (
        ("an email, as sent", "email/*.eml"),
        ("the same, for a browser", "email/*.html"),
        ("an SMS", "sms/*.txt"),
        ("a push notification", "push/*.json"),
        ("an Apple pass", "cards/*.pkpass"),
        ("its picture", "cards/*-apple.png"),
        ("Google's card, its picture", "cards/*-google.png"),
        ("what Apple is told", "apple-wallet/**/*.json"),
        ("what Google is told", "google-wallet/**/*.json"),
    )
    places = [(name, found[0]) for name, pattern in wanted if (found := sorted(outbox.glob(pattern)))]
    rejects = sorted((day.here.path / "data").glob("*rejects*"))
    return [*places, *(("rows that could not be read", path) for path in rejects)]


def _talkative(day: Day) -> str:
    """A customer with something to tell: the newest message's."""
    newest = select(CUSTOMER.c.external_id).join(MESSAGE, MESSAGE.c.customer_id == CUSTOMER.c.id)
    with day.here.database.read() as connection:
        found = connection.scalar(newest.order_by(MESSAGE.c.id.desc()).limit(1))
    return found or day.people[0].customer
