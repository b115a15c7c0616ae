"""Our own words of the letters that ask for a confirmation; a workspace may have messages of these names.

`trigger.link` is where the customer confirms, `trigger.days` how long it is good, `trigger.wording` what they
agreed to.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from core.customers.letters import DOUBLE_OPT_IN, ERASURE, EXPORT


@dataclass(frozen=True, slots=True)
class Words:
    """One letter in one language: what it says before and after its link, and the same as an SMS."""

    subject: str
    before: str
    button: str
    after: str
    sms: str = ""


LETTERS: Mapping[str, Mapping[str, Words]] = {
    DOUBLE_OPT_IN: {
        "en": Words(
            "Please confirm your email for {{ program.name }}",
            "Somebody, probably you, asked {{ program.name }} to send offers and news to this address.",
            "Yes, write to me",
            "The link is good for {{ trigger.days }} days. If it was not you, do nothing, and nothing comes.",
        ),
        "uk": Words(
            "Підтвердьте свою пошту для {{ program.name }}",
            "Хтось, мабуть ви, попросив {{ program.name }} надсилати пропозиції та новини на цю адресу.",
            "Так, пишіть мені",
            "Посилання діє {{ trigger.days }} днів. Якщо це були не ви, нічого не робіть.",
        ),
        "ru": Words(
            "Подтвердите свою почту для {{ program.name }}",
            "Кто-то, видимо вы, попросил {{ program.name }} присылать предложения и новости на этот адрес.",
            "Да, пишите мне",
            "Ссылка действует {{ trigger.days }} дней. Если это были не вы, ничего не делайте.",
        ),
    },
    EXPORT: {
        "en": Words(
            "A copy of your data at {{ program.name }}",
            "You asked for a copy of everything that {{ program.name }} keeps about you.",
            "Get the copy",
            "The link is good for one day. If it was not you, do nothing: nobody else gets it.",
            "A copy of your data at {{ program.name }}: {{ trigger.link }} Good for one day.",
        ),
        "uk": Words(
            "Копія ваших даних у {{ program.name }}",
            "Ви попросили копію всього, що {{ program.name }} зберігає про вас.",
            "Отримати копію",
            "Посилання діє одну добу. Якщо це були не ви, нічого не робіть: ніхто інший її не отримає.",
            "Копія ваших даних у {{ program.name }}: {{ trigger.link }} Діє добу.",
        ),
        "ru": Words(
            "Копия ваших данных в {{ program.name }}",
            "Вы попросили копию всего, что {{ program.name }} хранит о вас.",
            "Получить копию",
            "Ссылка действует одни сутки. Если это были не вы, ничего не делайте: никто другой её не увидит.",
            "Копия ваших данных в {{ program.name }}: {{ trigger.link }} Действует сутки.",
        ),
    },
    ERASURE: {
        "en": Words(
            "Erase your data at {{ program.name }}?",
            "You asked {{ program.name }} to forget you: your profile, your addresses, your bonuses. "
            "It cannot be undone.",
            "Go on to erase my data",
            "The link is good for one day. If it was not you, do nothing: everything stays as it is.",
            "To erase your data at {{ program.name }}, for ever: {{ trigger.link }} Good for one day.",
        ),
        "uk": Words(
            "Видалити ваші дані в {{ program.name }}?",
            "Ви попросили {{ program.name }} забути вас: профіль, адреси, бонуси. Це не можна скасувати.",
            "Перейти до видалення",
            "Посилання діє одну добу. Якщо це були не ви, нічого не робіть: усе залишиться як є.",
            "Видалити ваші дані в {{ program.name }} назавжди: {{ trigger.link }} Діє добу.",
        ),
        "ru": Words(
            "Удалить ваши данные в {{ program.name }}?",
            "Вы попросили {{ program.name }} забыть вас: профиль, адреса, бонусы. Это нельзя отменить.",
            "Перейти к удалению",
            "Ссылка действует одни сутки. Если это были не вы, ничего не делайте: всё останется как есть.",
            "Удалить ваши данные в {{ program.name }} навсегда: {{ trigger.link }} Действует сутки.",
        ),
    },
}

_HTML = """---
subject: "{subject}"
---
<!doctype html>
<html lang="{locale}">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark"><title>{subject}</title></head>
<body style="margin:0;padding:24px 16px;font:17px/1.5 sans-serif">
<div style="max-width:30em;margin:0 auto;padding:32px 28px;border:1px solid #c9c9c0;border-radius:16px">
<p style="margin:0 0 24px;font-size:22px;font-weight:bold">{{{{ program.name }}}}</p>
<p>{before}</p>
{wording}<p style="margin:28px 0"><a href="{{{{ trigger.link }}}}" style="display:inline-block;\
padding:14px 22px;border-radius:10px;background:#1c1c1a;color:#ffffff;border:1px solid #77776f;\
font-weight:bold;text-decoration:none">{button}</a></p>
<p style="margin:0;font-size:14px">{after}</p>
</div>
</body>
</html>
"""
_TEXT = """{before}

{wording}{button}: {{{{ trigger.link }}}}

{after}
"""
_SHOWN = (
    '{% if trigger.wording %}<p style="margin:16px 0;padding:2px 0 2px 16px;border-left:3px solid #8f8f85">'
    "{{ trigger.wording }}</p>\n{% endif %}"
)
_SHOWN_TEXT = "{% if trigger.wording %}{{ trigger.wording }}\n\n{% endif %}"


def own_files() -> dict[str, bytes]:
    """The letters as the files of messages."""
    return {
        path: text.encode()
        for kind, languages in LETTERS.items()
        for locale, words in languages.items()
        for path, text in _files(f"messages/{kind}/{locale}", locale, words)
    }


def _files(folder: str, locale: str, words: Words) -> Iterator[tuple[str, str]]:
    parts = {"subject": words.subject, "before": words.before, "button": words.button, "after": words.after}
    yield f"{folder}/email.html", _HTML.format(locale=locale, wording=_SHOWN, **parts)
    yield f"{folder}/email.txt", _TEXT.format(wording=_SHOWN_TEXT, **parts)
    if words.sms:
        yield f"{folder}/sms.txt", words.sms
