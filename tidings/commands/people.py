"""What is done for customers by hand: adjust, transfer, merge, erase, export."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.commands.acting import Author, Output, Who, done, external_id, say, working
from tidings.console import Format, agreed, console, plain, print_json, table, workspace

if TYPE_CHECKING:
    from core.program import Program
    from tidings.workspace import Workspace

Context = typer.Context
Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words.")]
Id = Annotated[
    str | None, typer.Option("--id", help="A number of your own: given again, nothing happens twice.")
]

# As the API takes it: an index keeps no much longer one.
LONGEST_NUMBER = 200
# Python reads more than people write: "1_000", "1e3", digits of other scripts.
_PLAIN = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def register(app: typer.Typer) -> None:
    """Add these commands."""
    # A number below zero looks like an option.
    app.command(context_settings={"ignore_unknown_options": True})(adjust)
    app.command()(transfer)
    app.command()(merge)
    app.command()(erase)
    app.command("export-person")(export_person)


def adjust(
    context: Context,
    customer: Who,
    points: Annotated[str, typer.Argument(help="Whole bonuses; below zero takes them.")],
    author: Author,
    reason: Reason,
    account: Annotated[str | None, typer.Option("--account", help="One bonus account.")] = None,
    lasts: Annotated[
        str | None, typer.Option("--lasts", help="A lifetime of their own: '30 days', 'forever'.")
    ] = None,
    owing: Annotated[bool, typer.Option("--owing", help="Take more than there is, as a debt.")] = False,
    number: Id = None,
    output: Output = Format.table,
) -> None:
    """Give or take bonuses by hand.

    Example: tidings adjust 10042 50 --author maria --reason 'goodwill for a late delivery'

    Example: tidings adjust 10042 -20 --author maria --reason 'given twice'
    """
    from core.ledger.adjustments import Adjustment
    from core.ledger.adjustments import adjust as act

    with working(context) as (here, program):
        wanted = Adjustment(
            _number(number), external_id(here, customer), _points(program, points), author, reason,
            account, _lifetime(lasts), owing,
        )  # fmt: skip
        answer = done(here, lambda connection, at: act(connection, program, wanted, at, live=True))
    say(output, answer, "{customer}: {points} bonuses; the balance is {balance}, {available} available")


def transfer(
    context: Context,
    sender: Who,
    receiver: Who,
    points: Annotated[str, typer.Argument(help="Whole bonuses.")],
    author: Annotated[
        str | None, typer.Option("--author", help="Who asked for it, if not the sender.")
    ] = None,
    number: Id = None,
    output: Output = Format.table,
) -> None:
    """Give a customer's bonuses to another, with the expiry that they have.

    Example: tidings transfer 10042 10077 20
    """
    from core.ledger.transfers import Transfer
    from core.ledger.transfers import transfer as act

    with working(context) as (here, program):
        names = external_id(here, sender), external_id(here, receiver)
        wanted = Transfer(_number(number), *names, _points(program, points), author)
        answer = done(here, lambda connection, at: act(connection, program, wanted, at, live=True))
    say(output, answer, "{points} bonuses from {sender} to {receiver}; {sender} has {balance} left")


def merge(
    context: Context,
    duplicate: Annotated[str | None, typer.Argument(help="The external id of the profile that goes")] = None,
    survivor: Annotated[str | None, typer.Argument(help="The external id of the one that stays")] = None,
    author: Annotated[str, typer.Option("--author", help="Who answers for it.")] = "",
    reason: Annotated[str, typer.Option("--reason", help="Why, in a few words.")] = "",
    candidates: Annotated[
        bool, typer.Option("--candidates", help="List who has the same phone, email or card.")
    ] = False,
    output: Output = Format.table,
) -> None:
    """Make two profiles of one person one. It is not undone.

    Example: tidings merge --candidates

    Example: tidings merge 10077 10042 --author maria --reason 'the same phone'
    """
    from core.customers.merging import Merge
    from core.customers.merging import merge as act
    from core.errors import UserError

    with working(context) as (here, program):
        if candidates:
            _candidates(here, output)
            return
        if duplicate is None or survivor is None:
            raise UserError("say which profile goes and which stays: tidings merge DUPLICATE SURVIVOR …")
        wanted = Merge(duplicate, survivor, author, reason)
        answer = done(here, lambda connection, at: act(connection, program, wanted, at, live=True))
    said = "{duplicate} is {survivor} now: {points} bonuses went over, the balance is {balance}, {tier}"
    say(output, answer, said)


def _candidates(here: "Workspace", output: Format) -> None:
    from core.customers.merging import duplicates

    with here.database.read() as connection:
        found = duplicates(connection)
    if output is Format.json:
        print_json([{"by": it.by, "customers": list(it.customers)} for it in found])
        return
    shown = table("", "the same", "customers")
    for it in found:
        shown.add_row(*plain(it.by, ", ".join(it.customers)))
    console().print(shown if found else "nobody seems to be there twice")


def erase(
    context: Context,
    customer: Who,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go; change nothing.")] = False,
    keep_bonuses: Annotated[
        bool, typer.Option("--keep-bonuses", help="Leave what remains in the books, written off otherwise.")
    ] = False,
    author: Annotated[str | None, typer.Option("--author", help="Who answers for it.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    output: Output = Format.table,
) -> None:
    """Forget a person: everything that is theirs goes, the books stay. It is not undone.

    Example: tidings erase 10042 --dry-run

    Example: tidings erase 10042 --author dpo --yes
    """
    from core.customers.erasure import erase as act
    from tidings import erasure

    with working(context) as (here, program):
        name = external_id(here, customer, or_as_said=True)
        wanted = erasure.request_of(here.addresses, name, author=author, keep_bonuses=keep_bonuses)
        if dry_run:
            _would_go(here, wanted, output)
            return
        if not yes and not agreed("This cannot be undone. Forget this customer?", err=output is Format.json):
            raise typer.Abort
        answer = done(here, lambda connection, at: act(connection, program, wanted, at))
        erasure.tidy(here.database)
    say(output, answer, "forgotten; the books say {customer}, {written_off} bonuses were written off")


def export_person(
    context: Context,
    customer: Who,
    file: Annotated[Path | None, typer.Argument(help="Where to write; the terminal if left out.")] = None,
) -> None:
    """Everything that is kept about a person, as JSON: for them to take elsewhere.

    Example: tidings export-person 10042 olena.json
    """
    from core.clock import SystemClock
    from core.customers.profiles import find
    from tidings.personal_data import personal_data, to_json

    with workspace(context) as here:
        name = external_id(here, customer)
        program = here.live.running().program
        with here.database.read() as connection:
            row = find(connection, name)
            found = personal_data(connection, here.live, here.links(program), row, SystemClock().now())
    if file is None:
        typer.echo(to_json(found), nl=False)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    # Nobody else on this machine is to read it; a file that was there keeps its rights otherwise.
    file.touch(mode=0o600)
    if file.is_file():
        file.chmod(0o600)
    file.write_text(to_json(found), "utf-8")
    typer.echo(f"wrote {file}")


def _would_go(here: "Workspace", wanted: Any, output: Format) -> None:
    from core.customers.erasure import would_go
    from core.errors import UserError
    from core.ledger.lots import Refusal

    with here.database.read() as connection:
        found = would_go(connection, wanted)
    if isinstance(found, Refusal):
        raise UserError(found.detail)
    if output is Format.json:
        print_json(found)
        return
    shown = table("", "what would go", "how many", right=("how many",))
    for what, count in found.items():
        shown.add_row(what, str(count))
    console().print(shown)


def _points(program: "Program", text: str) -> int:
    from core.errors import UserError

    if not _PLAIN.fullmatch(text):
        raise UserError(f"'{text}' is no number of bonuses; write digits, and decimals after a point")
    try:
        return program.to_points(text)
    except ValueError as error:
        raise UserError(f"{error}; write another number of bonuses") from None


def _lifetime(text: str | None) -> Any:
    from core.errors import UserError
    from core.program.lifetime import Lasts

    if text is None:
        return None
    try:
        return Lasts.parse(text)
    except ValueError:
        raise UserError(f"--lasts: '{text}' is no lifetime; write for example '30 days'") from None


def _number(given: str | None) -> str:
    """The number of an act; one that a script lost on its way is none, as it would guard against nothing."""
    import secrets

    from core.errors import UserError

    if given is None:
        return secrets.token_hex(8)
    if not given.strip() or len(given) > LONGEST_NUMBER:
        raise UserError(f"--id: write 1 to {LONGEST_NUMBER} characters, or leave it out")
    return given
