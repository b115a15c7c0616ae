"""What a customer reads who wrote HELP or STOP in a language that the provider does not know."""

from collections.abc import Mapping

REPLIES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "help": "{name}: messages of the loyalty program. Send STOP to get no more of them. {url}",
        "stop": "{name}: you will get no more messages here. Send START to get them again.",
    },
    "uk": {
        "help": "{name}: повідомлення програми лояльності. Щоб їх не отримувати, надішліть СТОП. {url}",
        "stop": "{name}: більше не надсилатимемо повідомлень. Щоб отримувати їх знову, надішліть СТАРТ.",
    },
    "ru": {
        "help": "{name}: сообщения программы лояльности. Чтобы больше их не получать, отправьте СТОП. {url}",
        "stop": "{name}: больше не будем присылать сообщений. Чтобы получать их снова, отправьте СТАРТ.",
    },
}
