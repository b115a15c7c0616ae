"""Writing: a new scenario, what one says in plain words, and a proof of it to oneself."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tidings.console import Format, console, moment, print_json, table, workspace

if TYPE_CHECKING:
    from campaigns.scenario import Scenario
    from tidings.workspace import Workspace

Context = typer.Context
new_app = typer.Typer(no_args_is_help=True, help="Write something new.")


class Language(StrEnum):
    """The languages that scenarios are explained in."""

    en = "en"
    uk = "uk"
    ru = "ru"


def register(app: typer.Typer) -> None:
    """Add these commands."""
    new_app.command("scenario")(new_scenario)
    app.add_typer(new_app, name="new")
    app.command()(explain)
    app.command("send-test")(send_test)


def new_scenario(
    context: Context,
    name: Annotated[str | None, typer.Argument(help="Its name: letters, digits and '-'.")] = None,
    trigger: Annotated[str | None, typer.Option("--trigger", help="What it waits for.")] = None,
    parameter: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", help="name=value of the trigger; may be repeated."),
    ] = None,
    audience: Annotated[
        str | None, typer.Option("--audience", help="As YAML: '{tier: [silver, gold]}'.")
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", help="The message's folder; the scenario's name if left out.")
    ] = None,
    channel: Annotated[
        list[str] | None, typer.Option("--channel", help="In the order of the cascade; may be repeated.")
    ] = None,
    schedule: Annotated[
        str | None, typer.Option("--schedule", help="'every day at 10:00'; only for state triggers.")
    ] = None,
    purpose: Annotated[
        str | None, typer.Option("--purpose", help="marketing, service or transactional.")
    ] = None,
    about: Annotated[str | None, typer.Option("--about", help="One sentence: what it is for.")] = None,
) -> None:
    """Write a scenario, its texts in each of the program's locales, and a test of it. Overwrites nothing.

    What is not given is asked at a terminal; elsewhere the default is taken.

    Example: tidings new scenario spring --trigger inactive -p 'for=30 days' --channel sms
    """
    import sys

    from tidings.writing import Given, write

    given = Given(
        name, trigger, dict(_pair(each) for each in parameter or ()), audience, message, tuple(channel or ()),
        schedule, purpose, about,
    )  # fmt: skip
    ask = _ask if sys.stdin.isatty() else None
    with workspace(context) as here:
        for path in write(here, given, ask):
            typer.echo(f"wrote {path}")
    typer.echo("next: write your own texts, then `tidings check`, `tidings test` and `tidings dry-run`")


def _pair(text: str) -> tuple[str, str]:
    from core.errors import UserError

    key, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--parameter: '{text}' has no value; write for example 'for=30 days'")
    return key.strip(), value.strip()


def _ask(question: str, choices: list[str], default: str) -> str:
    """One question at the terminal."""
    if choices:
        typer.echo(f"  {', '.join(choices)}")
    return str(typer.prompt(question, default=default, show_default=bool(default)))


def explain(
    context: Context,
    scenario: Annotated[str, typer.Argument(help="A scenario's name, or its file.")],
    lang: Annotated[Language | None, typer.Option("--lang", help="en, uk or ru; yours if left out.")] = None,
) -> None:
    """Say what a scenario does in plain sentences.

    Example: tidings explain win-back --lang uk
    """
    from campaigns.explaining import explain as in_words

    with workspace(context) as here:
        found, program = _scenario(here, scenario)
    typer.echo(in_words(found, program, lang or _own_language()), nl=False)


def _own_language() -> str:
    """What the surroundings say: LC_ALL, LC_MESSAGES, LANG."""
    said = next((os.environ[it] for it in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(it)), "")
    base = said.replace("-", "_").split("_")[0].split(".")[0].lower()
    return base if base in list(Language) else "en"


def _scenario(here: "Workspace", asked: str) -> tuple["Scenario", Any]:
    """A scenario of the files, though others of them be wrong; Problems if this one is."""
    from campaigns.bundle import Bundle, check
    from channels import discover as discover_channels
    from core.errors import Problems, UserError
    from core.explain import suggest
    from triggers import discover

    bundle, path = here.bundle(), Path(asked)
    name = path.stem if path.suffix == ".yaml" else asked
    if path.suffix == ".yaml" and path.is_file():
        bundle = Bundle({**bundle.files, f"scenarios/{name}.yaml": path.read_bytes()})
    names = bundle.names_in("scenarios")
    if name not in names:
        raise UserError(f"there is no scenario '{name}'; {suggest(name, sorted(names))}")
    checked = check(bundle, discover(), discover_channels())
    if name not in checked.scenarios:
        raise Problems([it for it in checked.errors if it.file == names[name]] or checked.errors)
    return checked.scenarios[name], checked.program


def send_test(
    context: Context,
    scenario: Annotated[str, typer.Argument(help="A scenario of the files.")],
    to: Annotated[list[str], typer.Option("--to", help="Your email, phone (+380…) or device; one for each.")],
    customer: Annotated[
        str | None, typer.Option("--as", help="Whose message it is; an invented customer's if left out.")
    ] = None,
    locale: Annotated[str | None, typer.Option("--locale", help="The customer's if left out.")] = None,
    channel: Annotated[str | None, typer.Option("--channel", help="All of its steps if left out.")] = None,
    at: Annotated[str | None, typer.Option("--at", help="As if it were then; now if left out.")] = None,
    validate: Annotated[
        bool, typer.Option("--validate", help="Deliver nothing: compose, and have FCM check a push.")
    ] = False,
    output: Annotated[Format, typer.Option("--format", help="table or json")] = Format.table,
) -> None:  # fmt: skip
    """Send one proof to yourself on every channel of a scenario, marked, and counted nowhere.

    Example: tidings send-test win-back --to me@example.com --to +380501234567 --as K-1
    """
    from core.errors import UserError
    from core.explain import suggest
    from tidings.proof import Wanted, proofs, send

    with workspace(context) as here:
        running = here.files()
        if scenario not in running.scenarios:
            raise UserError(
                f"there is no scenario '{scenario}'; {suggest(scenario, sorted(running.scenarios))}"
            )
        _known_words(running, locale, channel)
        wanted = Wanted(running.scenarios[scenario], to, customer, locale, channel)
        made = proofs(here, running, wanted, moment(at, running.program.zone))
        rows = [
            _told(it, send_outcome)
            for it, send_outcome in _sent(send(here, running.program, made, validate=validate), made)
        ]
        left_out = sorted({name for step in wanted.scenario.steps for name in step.send
                           if channel in (None, name)} - {it.channel for it in made})  # fmt: skip
    _tell_proofs(rows, left_out, output)
    raise typer.Exit(0 if all(row["outcome"] in ("accepted", "composed") for row in rows) else 3)


def _known_words(running: Any, locale: str | None, channel: str | None) -> None:
    from core.errors import UserError
    from core.explain import one_of, suggest

    if channel and channel not in running.kinds:
        raise UserError(f"there is no channel '{channel}'; {suggest(channel, sorted(running.kinds))}")
    locales = running.library.program_locales
    if locale and locale not in locales:
        raise UserError(f"the program has no locale '{locale}'; write {one_of(list(locales))}")


def _sent(outcomes: Any, made: Any) -> Any:
    return [(it, outcomes.get(it.outgoing.key) if it.outgoing else None) for it in made]


def _told(proof: Any, outcome: Any) -> dict[str, str]:
    from channels import Accepted
    from channels.transport import COMPOSED

    reason = getattr(outcome, "reason", "") or "" if outcome else str(proof.problem or "")
    word = type(outcome).__name__.lower()
    if isinstance(outcome, Accepted) and outcome.provider_id == COMPOSED:
        word = COMPOSED
    return {
        "step": proof.step, "message": proof.message, "channel": proof.channel, "locale": proof.locale,
        "outcome": word if outcome else "not rendered", "reason": reason,
    }  # fmt: skip


def _tell_proofs(rows: list[dict[str, str]], left_out: list[str], output: Format) -> None:
    if output is Format.json:
        print_json({"proofs": rows, "left_out": left_out})
        return
    shown = table("", "step", "message", "channel", "locale", "outcome", "reason")
    for row in rows:
        shown.add_row(*row.values())
    console().print(shown)
    if left_out:
        typer.echo(f"no address or no text for {', '.join(left_out)}: left out")
