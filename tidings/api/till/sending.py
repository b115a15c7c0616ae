"""The code by which a customer confirms what they spend, on its way by SMS: once, outside any transaction.

Its words are the workspace's message `confirmation-code`, else ours; `trigger.code`, `trigger.points` and
`trigger.minutes` stand in it. What became of it is kept; the code is not, and it is never logged.
"""

import asyncio
from time import sleep

import structlog

from campaigns.running import Running, latin, text_kinds
from channels import Accepted, Failed, Outcome, Outgoing, Unknown
from core.errors import EnvironmentFault, UserError
from core.program import Program
from core.purchases.confirmations import CHANNEL, VALID, Drawn, settle
from templates.environment import RenderError
from templates.facts import contexts, with_trigger
from templates.library import Library
from tidings.api.services import Services

LOG = structlog.get_logger("tidings.api")
MESSAGE = "confirmation-code"
# Seconds before it is tried once more to record what became of a code: a cashier stands and waits.
AGAIN = (0.1, 0.5, 1.0, 2.0)
OWN = {
    "en": "{{ trigger.code }} is your code to pay with {{ trigger.points | points }} at {{ program.name }}. "
    "Valid for {{ trigger.minutes }} minutes. Tell only the cashier.",
    "uk": "{{ trigger.code }} – код, щоб сплатити {{ trigger.points | points }} у {{ program.name }}. "
    "Діє {{ trigger.minutes }} хв. Кажіть лише касиру.",
    "ru": "{{ trigger.code }} – код, чтобы оплатить {{ trigger.points | points }} в {{ program.name }}. "
    "Действует {{ trigger.minutes }} мин. Говорите только кассиру.",
}


def send_code(here: Services, drawn: Drawn) -> None:
    """Send it, whatever comes of it, and keep what came of it.

    EnvironmentFault if the database stays away: what was sent cannot be sent anew, so it is waited for.
    """
    running = here.running
    try:
        outcome = asyncio.run(_send(here, running, _outgoing(here, running, drawn)))
    except EnvironmentFault:
        outcome = Failed("configuration", "not_ready")
    except (UserError, RenderError):
        outcome = Failed("permanent", "not_rendered")
    state, reason = _state(outcome)
    LOG.info("confirmation code", state=state, reason=reason)
    for pause in AGAIN:
        try:
            _keep(here, drawn, state, reason)
        except EnvironmentFault as fault:
            LOG.warning("confirmation code not recorded yet", reason=str(fault))
            sleep(pause)
        else:
            return
    _keep(here, drawn, state, reason)


def _keep(here: Services, drawn: Drawn, state: str, reason: str | None) -> None:
    with here.database.write() as connection:
        settle(connection, drawn.id, state, reason, here.now())


def _outgoing(here: Services, running: Running, drawn: Drawn) -> Outgoing:
    program, now = running.program, here.now()
    with here.database.read() as connection:
        context = contexts(connection, program, [drawn.customer_id], now, here.links)[drawn.customer_id]
    minutes = int(VALID.total_seconds() // 60)
    facts = {"code": drawn.code, "points": program.from_points(drawn.points), "minutes": minutes}
    locale = context["customer"].locale
    library = running.library
    if library.has(MESSAGE, CHANNEL, locale) is None:
        library = _own_words(program)
    text = library.render(MESSAGE, CHANNEL, locale, with_trigger(context, facts, CHANNEL))
    return Outgoing(
        key=f"{MESSAGE}.{drawn.id}", to=drawn.phone, parts=text.parts, purpose="transactional", at=now,
        tag=MESSAGE,
    )  # fmt: skip


async def _send(here: Services, running: Running, outgoing: Outgoing) -> Outcome:
    outcomes: dict[str, Outcome] = {}
    async with here.workspace.each_channel(running.program)[CHANNEL] as channel:
        await channel.send([outgoing], outcomes.__setitem__)
    return outcomes.get(outgoing.key, Unknown("sender_failed"))


def _state(outcome: Outcome) -> tuple[str, str | None]:
    if isinstance(outcome, Accepted):
        return "sent", None
    return ("failed" if isinstance(outcome, Failed) else "unknown"), outcome.reason


def _own_words(program: Program) -> Library:
    """Ours, in the customer's language if we speak it, else in English."""
    return Library(
        {f"messages/{MESSAGE}/{locale}/{CHANNEL}.txt": text.encode() for locale, text in OWN.items()},
        kinds=text_kinds(), default_locale="en", locales=tuple(OWN), point_names=program.points.name,
        currency=program.currency, scale=program.points.scale, time_zone=program.time_zone,
        transliterate=latin(program),
    )  # fmt: skip
