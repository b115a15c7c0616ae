"""The words of the pages that customers open, in the languages that we speak ourselves.

A program in another language gets English pages, with its own card and its own terms on them.
"""

from collections.abc import Mapping, Sequence

Words = Mapping[str, str]

ENGLISH: Words = {
    "email": "Email",
    "sms": "SMS",
    "push": "App notifications",
    "telegram": "Telegram",
    "viber": "Viber",
    "whatsapp": "WhatsApp",
    "stop_title": "Stop these messages?",
    "stop_text": "{channel}: we will send you no more offers. Messages about your own account stay.",
    "stop_button": "Unsubscribe",
    "stopped_title": "You are unsubscribed",
    "stopped_text": "{channel}: no more offers. One that is on its way may still arrive.",
    "other_choices": "All my choices",
    "choices_title": "How may we write to you?",
    "choices_text": "Choose where offers and reminders may reach you. You can change this at any time.",
    "choices_save": "Save",
    "choices_saved": "Your choices are saved.",
    "choices_none": "Stop everything",
    "choices_note": "Messages about your own account, such as a receipt, do not depend on this.",
    "card_title": "Your card",
    "card_text": "Keep it on your phone: the balance stays up to date by itself.",
    "card_apple": "Add to Apple Wallet",
    "card_google": "Save to Google Wallet",
    "card_scan": "Open this page on your phone: point its camera here.",
    "card_none": "There is no card to add yet",
    "card_none_text": "Ask in the shop; it may be ready soon.",
    "google_busy": "Google Wallet does not answer just now. Please try again in a minute.",
    "missing_title": "This link does not work",
    "missing_text": "It may be incomplete. Open it again from the message it came in.",
    "terms": "Terms",
}
UKRAINIAN: Words = {
    "email": "Електронна пошта",
    "sms": "SMS",
    "push": "Сповіщення в застосунку",
    "telegram": "Telegram",
    "viber": "Viber",
    "whatsapp": "WhatsApp",
    "stop_title": "Більше не надсилати?",
    "stop_text": "{channel}: більше не надсилатимемо пропозицій. Повідомлення про ваш рахунок залишаться.",
    "stop_button": "Відписатися",
    "stopped_title": "Ви відписалися",
    "stopped_text": "{channel}: пропозицій більше не буде. Те, що вже в дорозі, може ще надійти.",
    "other_choices": "Усі мої налаштування",
    "choices_title": "Як вам писати?",
    "choices_text": "Оберіть, куди можна надсилати пропозиції та нагадування. Змінити це можна будь-коли.",
    "choices_save": "Зберегти",
    "choices_saved": "Ваш вибір збережено.",
    "choices_none": "Відмовитися від усього",
    "choices_note": "Повідомлення про ваш рахунок, як-от чек, від цього не залежать.",
    "card_title": "Ваша картка",
    "card_text": "Додайте її в телефон: баланс оновлюватиметься сам.",
    "card_apple": "Додати в Apple Wallet",
    "card_google": "Зберегти в Google Гаманці",
    "card_scan": "Відкрийте цю сторінку на телефоні: наведіть камеру сюди.",
    "card_none": "Картки поки що немає",
    "card_none_text": "Запитайте в магазині: можливо, вона скоро з’явиться.",
    "google_busy": "Google Гаманець зараз не відповідає. Спробуйте за хвилину.",
    "missing_title": "Це посилання не працює",
    "missing_text": "Можливо, воно неповне. Відкрийте його ще раз із повідомлення.",
    "terms": "Правила",
}
RUSSIAN: Words = {
    "email": "Электронная почта",
    "sms": "SMS",
    "push": "Уведомления в приложении",
    "telegram": "Telegram",
    "viber": "Viber",
    "whatsapp": "WhatsApp",
    "stop_title": "Больше не присылать?",
    "stop_text": "{channel}: больше не будем присылать предложений. Сообщения о вашем счёте останутся.",
    "stop_button": "Отписаться",
    "stopped_title": "Вы отписались",
    "stopped_text": "{channel}: предложений больше не будет. То, что уже в пути, может ещё прийти.",
    "other_choices": "Все мои настройки",
    "choices_title": "Как вам писать?",
    "choices_text": "Выберите, куда присылать предложения и напоминания. Это можно изменить в любой момент.",
    "choices_save": "Сохранить",
    "choices_saved": "Ваш выбор сохранён.",
    "choices_none": "Отказаться от всего",
    "choices_note": "Сообщения о вашем счёте, например чек, от этого не зависят.",
    "card_title": "Ваша карта",
    "card_text": "Добавьте её в телефон: баланс будет обновляться сам.",
    "card_apple": "Добавить в Apple Wallet",
    "card_google": "Сохранить в Google Кошельке",
    "card_scan": "Откройте эту страницу на телефоне: наведите камеру сюда.",
    "card_none": "Карты пока нет",
    "card_none_text": "Спросите в магазине: возможно, она скоро появится.",
    "google_busy": "Google Кошелёк сейчас не отвечает. Попробуйте через минуту.",
    "missing_title": "Эта ссылка не работает",
    "missing_text": "Возможно, она неполная. Откройте её ещё раз из сообщения.",
    "terms": "Правила",
}
LANGUAGES: Mapping[str, Words] = {"en": ENGLISH, "uk": UKRAINIAN, "ru": RUSSIAN}


def language(wanted: Sequence[str | None]) -> str:
    """The first of these locales whose language we speak (`uk` for `uk-UA`), else English."""
    spoken = ((it or "").replace("_", "-").split("-")[0].lower() for it in wanted)
    return next((it for it in spoken if it in LANGUAGES), "en")


def accepted(header: str) -> list[str]:
    """The languages of an Accept-Language header, best first (RFC 9110, 12.5.4)."""
    found: list[tuple[float, str]] = []
    for part in header.split(",")[:20]:
        name, _, weight = part.strip().partition(";q=")
        try:
            found.append((-float(weight or 1), name))
        except ValueError:
            continue
    return [name for _, name in sorted(found, key=lambda it: it[0])]


def named(words: Words, channel: str) -> str:
    """A channel as customers call it."""
    return words.get(channel, channel.capitalize())
