"""What a customer means who writes back: STOP, START or HELP, the same in every channel."""

import re
from dataclasses import dataclass
from typing import Literal, get_args
from unicodedata import normalize

Word = Literal["stop", "start", "help"]
WORDS: tuple[Word, ...] = get_args(Word)

# Of SMS in America; Twilio answers these itself.
_ENGLISH: dict[Word, set[str]] = {
    "stop": {
        "stop", "stopall", "stop all", "unsubscribe", "cancel", "end", "quit", "revoke", "optout", "opt out",
    },
    "start": {"start", "yes", "unstop"},
    "help": {"help", "info"},
}  # fmt: skip
# As people say it in sentences: nobody reads what they write.
_POLITE: dict[Word, set[str]] = {
    "stop": {
        "stop please", "please stop", "stop sms", "stop messages", "stop texting me", "unsubscribe me",
        "please unsubscribe me", "remove me", "no more messages", "unsubscribe please", "please unsubscribe",
        "stop texting", "stop spam", "no more sms", "no more texts", "do not text me", "don t text me",
        "opt me out", "stop promotions",  # the usual button of a WhatsApp template
    },
    "start": set(),
    "help": set(),
}  # fmt: skip
_UKRAINIAN: dict[Word, set[str]] = {
    "stop": {
        "стоп", "відписатися", "відписатись", "відпишіться", "відписка", "відпишіть", "відмова",
        "відмовляюсь", "відмовляюся", "скасувати", "не надсилайте", "не надсилати", "стоп будь ласка",
        "відпишіть мене", "відпишіть мене будь ласка", "відписатися від розсилки", "не надсилайте більше",
        "більше не надсилайте", "не пишіть", "не пишіть мені", "більше не пишіть", "не турбуйте",
        "не надсилайте мені", "більше не надсилайте мені", "не надсилайте смс", "не надсилайте мені смс",
        "відпишіть від розсилки", "відпишіть мене від розсилки", "припиніть розсилку", "стоп смс",
        "видаліть мій номер",
    },
    "start": {"старт", "почати", "так", "підписатися", "підписатись"},
    "help": {"допомога", "довідка", "допоможіть"},
}  # fmt: skip
_RUSSIAN: dict[Word, set[str]] = {
    "stop": {
        "стоп", "отписаться", "отпишите", "отписка", "отказ", "отказываюсь", "отмена", "не присылайте",
        "не присылать", "стоп пожалуйста", "отпишите меня", "отпишите меня пожалуйста",
        "отписаться от рассылки", "не присылайте больше", "больше не присылайте", "не пишите",
        "не пишите мне", "больше не пишите", "не беспокойте", "не присылайте мне",
        "больше не присылайте мне", "не присылайте смс", "не присылайте мне смс", "отпишите от рассылки",
        "отпишите меня от рассылки", "прекратите рассылку", "стоп смс", "удалите мой номер",
    },
    "start": {"старт", "начать", "да", "подписаться"},
    "help": {"помощь", "справка", "помогите"},
}  # fmt: skip
_LANGUAGES = (("en", _ENGLISH), ("en", _POLITE), ("uk", _UKRAINIAN), ("ru", _RUSSIAN))


@dataclass(frozen=True, slots=True)
class Meant:
    """A word, or something else (None). `language` is that of the word, if only one has it."""

    word: Word | None
    language: str | None = None


def meant(text: str) -> Meant:
    """STOP, START or HELP if that is all that the customer wrote; case and punctuation do not count.

    Who says STOP several times over means it, too.
    """
    plain = _plain(text)
    first, *more = plain.split() or [""]
    if more and set(more) == {first}:
        again = meant(first)
        return again if again.word == "stop" else Meant(None)
    found = [
        (meaning, language)
        for language, lexicon in _LANGUAGES
        for meaning, words in lexicon.items()
        if plain in words
    ]
    if not found:
        return Meant(None)
    return Meant(found[0][0], found[0][1] if len(found) == 1 else None)


def is_english(text: str) -> bool:
    """Whether it is one of the words that are usual in America."""
    plain = _plain(text)
    return any(plain in words for words in _ENGLISH.values())


def _plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W\d_]+", normalize("NFKC", text).casefold()))
