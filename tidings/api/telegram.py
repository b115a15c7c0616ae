"""What Telegram tells us of the bot: who came by their link, who wrote /stop or /help, who blocked it.

Every update must show the secret that we gave Telegram. What we answer goes back in the answer to the update,
so that nothing has to be sent.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Header, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection, select

from channels.settings import load_settings
from channels.telegram import TelegramSettings, updates
from channels.telegram.updates import Update
from core.customers.chats import Chats, survivor
from core.customers.profiles import CUSTOMER
from tidings.api.access import Here
from tidings.api.forms import Bytes
from tidings.api.problems import Refused
from tidings.api.services import Services
from tidings.api.words import language
from tidings.telegram import PATH

LOG = structlog.get_logger("tidings.hooks")
routes = APIRouter(tags=["Providers"], include_in_schema=False)

SAYS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "joined": "{program}: this chat is now connected to your card. Your bonuses and our offers come "
        "here. /stop ends the offers.",
        "resumed": "{program}: welcome back. /stop ends the offers.",
        "stopped": "{program}: no more offers here. Messages about your account still come; to stop them "
        "too, block this bot. /start brings the offers back.",
        "help": "{program}: your bonuses and our offers come here. /stop ends the offers, /start brings them "
        "back. {url}",
        "used": "This link was used already or is out of date. Open the newest one from our message.",
        "stranger": "{program}: we do not know yet whose card this is. Open the link from our message or "
        "app.",
    },
    "uk": {
        "joined": "{program}: цей чат тепер пов’язаний з вашою карткою. Сюди надходитимуть ваші бонуси й "
        "наші пропозиції. /stop зупинить пропозиції.",
        "resumed": "{program}: раді, що ви знову тут. /stop зупинить пропозиції.",
        "stopped": "{program}: пропозицій тут більше не буде. Повідомлення про ваш рахунок залишаться; щоб "
        "зупинити і їх, заблокуйте цього бота. /start поверне пропозиції.",
        "help": "{program}: сюди надходять ваші бонуси й наші пропозиції. /stop зупинить пропозиції, /start "
        "поверне їх. {url}",
        "used": "Це посилання вже використано або воно застаріло. Відкрийте найновіше з нашого повідомлення.",
        "stranger": "{program}: ми ще не знаємо, чия це картка. Відкрийте посилання з нашого повідомлення "
        "або застосунку.",
    },
    "ru": {
        "joined": "{program}: этот чат теперь связан с вашей картой. Сюда будут приходить ваши бонусы и наши "
        "предложения. /stop остановит предложения.",
        "resumed": "{program}: рады, что вы снова здесь. /stop остановит предложения.",
        "stopped": "{program}: предложений здесь больше не будет. Сообщения о вашем счёте останутся; чтобы "
        "остановить и их, заблокируйте этого бота. /start вернёт предложения.",
        "help": "{program}: сюда приходят ваши бонусы и наши предложения. /stop остановит предложения, "
        "/start вернёт их. {url}",
        "used": "Эта ссылка уже использована или устарела. Откройте самую новую из нашего сообщения.",
        "stranger": "{program}: мы ещё не знаем, чья это карта. Откройте ссылку из нашего сообщения или "
        "приложения.",
    },
}


@routes.post(PATH)
def update(
    here: Here, body: Bytes, x_telegram_bot_api_secret_token: Annotated[str, Header()] = ""
) -> Response:
    """One update, as Telegram sends it. 403 without our secret; else 200, or it would come for ever."""
    token = load_settings(TelegramSettings, here.workspace.env_file).token
    if token is None or not updates.is_genuine(token.get_secret_value(), x_telegram_bot_api_secret_token):
        LOG.warning("update refused", reason="secret" if token else "no bot token")
        raise Refused(403, "signature", "the request does not show the secret of this bot's webhook")
    heard = updates.read(body)
    if heard is None:
        return Response(status_code=200)
    with here.recording() as connection:
        word, customer_id = _act(here, connection, heard)
        locale = _locale(connection, customer_id)
    LOG.info("telegram", act=heard.act, word=word)
    return _answer(here, heard, word, locale) if word else Response(status_code=200)


def _act(here: Services, connection: Connection, heard: Update) -> tuple[str | None, int | None]:
    """What follows, as the name of our words for it, and whose chat it is."""
    now = here.now()
    chats = Chats(connection, here.workspace.addresses, min(heard.at, now), now)
    match heard.act:
        case "start" if heard.token:
            customer_id = _join(here, connection, chats, heard)
            return ("joined" if customer_id else "used"), customer_id
        case "start":
            customer_id = chats.resume(heard.chat)
            return ("resumed" if customer_id else "stranger"), customer_id
        case "stop":
            customer_id = chats.stop(heard.chat)
            return ("stopped" if customer_id else "stranger"), customer_id
        case "help":
            customer_id = chats.holder(heard.chat)
            return ("help" if customer_id else "stranger"), customer_id
        # Whoever blocks the bot cannot be answered; whoever lets it in again presses "start" as well.
        case "blocked":
            return None, chats.block(heard.chat)
        case "unblocked":
            return None, chats.resume(heard.chat)


def _join(here: Services, connection: Connection, chats: Chats, heard: Update) -> int | None:
    named = here.links.read_telegram(heard.token or "")
    if named is None:
        return None
    customer_id = survivor(connection, named[0])
    return None if customer_id is None else chats.join(customer_id, named[1], heard.chat)


def _locale(connection: Connection, customer_id: int | None) -> str | None:
    return connection.scalar(select(CUSTOMER.c.locale).where(CUSTOMER.c.id == customer_id))


def _answer(here: Services, heard: Update, word: str, locale: str | None) -> Response:
    """A call of the Bot API as the body of our answer (core.telegram.org/bots/api#making-requests)."""
    program = here.program
    spoken = language([locale, heard.language, program.locale])
    content: dict[str, Any] = {
        "method": "sendMessage",
        "chat_id": int(heard.chat),
        "text": SAYS[spoken][word].format(program=program.name, url=program.url).strip(),
    }
    return JSONResponse(content)
