"""The words of the pages that customers open, in the languages that we speak ourselves.

A program in another language gets English pages, with its own card and its own terms on them. The wallets
are called as Apple and Google call them in that language.
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
    "choices_text": "Choose what may reach you, and where. You can change this at any time.",
    "choices_save": "Save",
    "choices_saved": "Your choices are saved.",
    "choices_none": "Stop everything",
    "choices_note": "Messages about your own account, such as a receipt, do not depend on this.",
    "card_title": "Your card",
    "card_text": "Keep it on your phone: the balance stays up to date by itself.",
    "card_apple": "Add to Apple Wallet",
    "card_google": "Add to Google Wallet",
    "card_scan": "Point your phone’s camera here: this page opens on it.",
    "card_scan_other": "Point the other phone’s camera here: this page opens on it.",
    "card_elsewhere": "For another phone",
    "card_in_app": "If nothing opens, open this page in your browser: menu ⋮, then “Open in browser”.",
    "card_in_app_apple": "This app may not be able to add cards. Open the page in Safari: by the button "
    "below, or by the menu ••• and “Open in browser”.",
    "card_safari": "Open in Safari",
    "card_mac": "From a Mac the card goes to your iPhone by iCloud. An iPad has no Wallet: take your phone.",
    "card_gone": "This card was withdrawn",
    "card_gone_text": "It is not valid any more. Ask in the shop for a new one; your bonuses are safe.",
    "card_none": "There is no card to add yet",
    "card_none_text": "Ask in the shop; it may be ready soon.",
    "google_busy": "Google Wallet does not answer just now. Please try again in a minute.",
    "proof_title": "This is a test message",
    "proof_text": "Customers get a link of their own here, to their choices or their card. "
    "This one belongs to nobody and changes nothing.",
    "silent_title": "Nothing is sent to you",
    "silent_text": "Your data were erased: we have no address of yours, and write to nobody there.",
    "missing_title": "This link does not work",
    "missing_text": "It may be incomplete. Open it again from the message it came in.",
    "terms": "Terms",
    "webhook": "Other messages from us",
    "call_list": "Phone calls",
    "wallet": "Wallet card",
    "card_held": "Added to your phone",
    "card_not_held": "Not on your phone yet",
    "chat_joined": "Connected",
    "chat_none": "Not connected yet: our messages have the link",
    "wait_note": "Waiting: answer the letter that we sent there.",
    "will_note": "Stopped, as you told us or your mail program did. Switch it on and save to hear from us.",
    "stop_note": "You sent STOP. Send START to our number, and messages come again.",
    "closed_note": "We cannot send anything here: nothing arrives. Please ask in the shop.",
    "nowhere_note": "We do not know where to send it. Please tell the shop.",
    "purpose_marketing": "Offers and reminders",
    "choices_stopped": "Everything is stopped. We will send you no more offers.",
    "choices_asked": "Your choices are saved. We have sent you a letter: answer it, and the emails begin.",
    "choices_closed": "Your choices are saved. A note says where nothing can reach you.",
    "choices_agree": "By saving you agree:",
    "data_title": "Your data",
    "data_text": "We send a letter to your own address first: this page may have come to somebody else.",
    "data_copy": "Get a copy of my data",
    "data_erase": "Erase my data",
    "data_by_shop": "If you want your data erased, ask in the shop.",
    "data_sent": "We have sent a link to {address}. It is good for one day.",
    "data_wait": "A letter is on its way already. Look into your inbox, or try again later.",
    "data_no_address": "We know no address to send the link to. Please ask in the shop.",
    "opt_in_title": "May we write to you?",
    "opt_in_text": "Offers and news will come to {address}. You can stop them at any time.",
    "opt_in_button": "Yes, write to me",
    "opted_in_title": "Thank you, it is confirmed",
    "opted_in_text": "Offers and news will come to {address}.",
    "gone_title": "There is nothing to confirm",
    "gone_text": "It was taken back meanwhile, or the address has changed.",
    "copy_title": "A copy of your data",
    "copy_text": "Everything that {program} keeps about you, as one file (JSON) that other services "
    "can read.",
    "copy_button": "Download",
    "erase_title": "Erase your data for ever?",
    "erase_text": "{program} forgets your profile, your addresses, your choices and what we wrote to "
    "you. It cannot be undone.",
    "erase_bonuses": "Your bonuses are lost: {balance}.",
    "erase_button": "Yes, erase everything",
    "erase_keep": "No, keep it",
    "erased_title": "Your data are erased",
    "erased_text": "Of your purchases only what the books must keep by law remains, without your name. "
    "Goodbye.",
    "erase_refused_title": "This cannot be done here",
    "erase_refused_text": "Others use your account together with you. Please ask in the shop.",
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
    "choices_text": "Оберіть, що й куди можна надсилати. Змінити це можна будь-коли.",
    "choices_save": "Зберегти",
    "choices_saved": "Ваш вибір збережено.",
    "choices_none": "Відмовитися від усього",
    "choices_note": "Повідомлення про ваш рахунок, як-от чек, від цього не залежать.",
    "card_title": "Ваша картка",
    "card_text": "Додайте її в телефон: баланс оновлюватиметься сам.",
    "card_apple": "Додати в Гаманець Apple",
    "card_google": "Додати в Google Гаманець",
    "card_scan": "Наведіть сюди камеру телефона: сторінка відкриється на ньому.",
    "card_scan_other": "Наведіть сюди камеру іншого телефона: сторінка відкриється на ньому.",
    "card_elsewhere": "Для іншого телефона",
    "card_in_app": "Якщо нічого не відкривається, відкрийте цю сторінку в браузері: меню ⋮, далі «Відкрити в "
    "браузері».",
    "card_in_app_apple": "Цей застосунок може не вміти додавати картки. Відкрийте сторінку в Safari: кнопкою "
    "нижче або через меню ••• і «Відкрити в браузері».",
    "card_safari": "Відкрити в Safari",
    "card_mac": "З Mac картка потрапить на ваш iPhone через iCloud. На iPad Гаманця немає: візьміть телефон.",
    "card_gone": "Цю картку відкликано",
    "card_gone_text": "Вона більше не дійсна. Попросіть нову в магазині; ваші бонуси збережено.",
    "card_none": "Картки поки що немає",
    "card_none_text": "Запитайте в магазині: можливо, вона скоро з’явиться.",
    "google_busy": "Google Гаманець зараз не відповідає. Спробуйте за хвилину.",
    "proof_title": "Це пробне повідомлення",
    "proof_text": "Клієнти отримують тут власне посилання: до своїх налаштувань чи картки. "
    "Це не належить нікому й нічого не змінює.",
    "silent_title": "Вам нічого не надсилається",
    "silent_text": "Ваші дані видалено: ми не маємо вашої адреси й нікому туди не пишемо.",
    "missing_title": "Це посилання не працює",
    "missing_text": "Можливо, воно неповне. Відкрийте його ще раз із повідомлення.",
    "terms": "Правила",
    "webhook": "Інші повідомлення",
    "call_list": "Телефонні дзвінки",
    "wallet": "Картка в гаманці",
    "card_held": "Додана на телефон",
    "card_not_held": "Ще не на телефоні",
    "chat_joined": "Підключено",
    "chat_none": "Ще не підключено: посилання є в наших повідомленнях",
    "wait_note": "Очікує: дайте відповідь на лист, який ми туди надіслали.",
    "will_note": "Зупинено: про це сказали ви або ваша поштова програма. Увімкніть і збережіть, щоб "
    "отримувати знову.",
    "stop_note": "Ви надіслали СТОП. Надішліть СТАРТ на наш номер, і повідомлення надходитимуть знову.",
    "closed_note": "Сюди нічого не надіслати: не доходить. Зверніться, будь ласка, до магазину.",
    "nowhere_note": "Ми не знаємо, куди надсилати. Скажіть, будь ласка, в магазині.",
    "purpose_marketing": "Пропозиції та нагадування",
    "choices_stopped": "Усе зупинено. Більше не надсилатимемо пропозицій.",
    "choices_asked": "Ваш вибір збережено. Ми надіслали вам лист: підтвердьте адресу, і листи почнуть "
    "надходити.",
    "choices_closed": "Ваш вибір збережено. Примітка каже, куди нічого не дійде.",
    "choices_agree": "Зберігаючи, ви погоджуєтеся:",
    "data_title": "Ваші дані",
    "data_text": "Спершу ми надішлемо лист на вашу адресу: ця сторінка могла потрапити до когось іншого.",
    "data_copy": "Отримати копію моїх даних",
    "data_erase": "Видалити мої дані",
    "data_by_shop": "Якщо хочете видалити свої дані, зверніться до магазину.",
    "data_sent": "Ми надіслали посилання на {address}. Воно діє одну добу.",
    "data_wait": "Лист уже в дорозі. Перевірте пошту або спробуйте пізніше.",
    "data_no_address": "Ми не знаємо адреси, на яку надіслати посилання. Зверніться, будь ласка, до "
    "магазину.",
    "opt_in_title": "Можна вам писати?",
    "opt_in_text": "Пропозиції та новини надходитимуть на {address}. Зупинити їх можна будь-коли.",
    "opt_in_button": "Так, пишіть мені",
    "opted_in_title": "Дякуємо, підтверджено",
    "opted_in_text": "Пропозиції та новини надходитимуть на {address}.",
    "gone_title": "Підтверджувати нічого",
    "gone_text": "Згоду тим часом відкликано або адреса змінилася.",
    "copy_title": "Копія ваших даних",
    "copy_text": "Усе, що {program} зберігає про вас, одним файлом (JSON), який прочитають інші сервіси.",
    "copy_button": "Завантажити",
    "erase_title": "Видалити ваші дані назавжди?",
    "erase_text": "{program} забуде ваш профіль, адреси, вибір і те, що ми вам писали. Це не можна "
    "скасувати.",
    "erase_bonuses": "Ваші бонуси згорять: {balance}.",
    "erase_button": "Так, видалити все",
    "erase_keep": "Ні, залишити",
    "erased_title": "Ваші дані видалено",
    "erased_text": "Про ваші покупки залишилося лише те, що вимагає закон, без вашого імені. На все добре.",
    "erase_refused_title": "Тут цього зробити не можна",
    "erase_refused_text": "Вашим рахунком користуються й інші. Зверніться, будь ласка, до магазину.",
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
    "choices_text": "Выберите, что и куда присылать. Это можно изменить в любой момент.",
    "choices_save": "Сохранить",
    "choices_saved": "Ваш выбор сохранён.",
    "choices_none": "Отказаться от всего",
    "choices_note": "Сообщения о вашем счёте, например чек, от этого не зависят.",
    "card_title": "Ваша карта",
    "card_text": "Добавьте её в телефон: баланс будет обновляться сам.",
    "card_apple": "Добавить в Apple Wallet",
    "card_google": "Добавить в Google Кошелек",
    "card_scan": "Наведите сюда камеру телефона: страница откроется на нём.",
    "card_scan_other": "Наведите сюда камеру другого телефона: страница откроется на нём.",
    "card_elsewhere": "Для другого телефона",
    "card_in_app": "Если ничего не открывается, откройте эту страницу в браузере: меню ⋮, затем «Открыть в "
    "браузере».",
    "card_in_app_apple": "Это приложение может не уметь добавлять карты. Откройте страницу в Safari: кнопкой "
    "ниже или через меню ••• и «Открыть в браузере».",
    "card_safari": "Открыть в Safari",
    "card_mac": "С Mac карта попадёт на ваш iPhone через iCloud. На iPad Кошелька нет: возьмите телефон.",
    "card_gone": "Эта карта отозвана",
    "card_gone_text": "Она больше не действительна. Попросите новую в магазине; ваши бонусы сохранены.",
    "card_none": "Карты пока нет",
    "card_none_text": "Спросите в магазине: возможно, она скоро появится.",
    "google_busy": "Google Кошелёк сейчас не отвечает. Попробуйте через минуту.",
    "proof_title": "Это пробное сообщение",
    "proof_text": "Клиенты получают здесь собственную ссылку: к своим настройкам или карте. "
    "Эта не принадлежит никому и ничего не меняет.",
    "silent_title": "Вам ничего не отправляется",
    "silent_text": "Ваши данные удалены: у нас нет вашего адреса, и мы туда никому не пишем.",
    "missing_title": "Эта ссылка не работает",
    "missing_text": "Возможно, она неполная. Откройте её ещё раз из сообщения.",
    "terms": "Правила",
    "webhook": "Другие сообщения",
    "call_list": "Телефонные звонки",
    "wallet": "Карта в кошельке",
    "card_held": "Добавлена на телефон",
    "card_not_held": "Ещё не на телефоне",
    "chat_joined": "Подключено",
    "chat_none": "Ещё не подключено: ссылка есть в наших сообщениях",
    "wait_note": "Ожидает: ответьте на письмо, которое мы туда отправили.",
    "will_note": "Остановлено: об этом сказали вы или ваша почтовая программа. Включите и сохраните, чтобы "
    "получать снова.",
    "stop_note": "Вы отправили СТОП. Отправьте СТАРТ на наш номер, и сообщения снова будут приходить.",
    "closed_note": "Сюда ничего не отправить: не доходит. Обратитесь, пожалуйста, в магазин.",
    "nowhere_note": "Мы не знаем, куда присылать. Скажите, пожалуйста, в магазине.",
    "purpose_marketing": "Предложения и напоминания",
    "choices_stopped": "Всё остановлено. Больше не будем присылать предложений.",
    "choices_asked": "Ваш выбор сохранён. Мы отправили вам письмо: подтвердите адрес, и письма начнут "
    "приходить.",
    "choices_closed": "Ваш выбор сохранён. Примечание говорит, куда ничего не дойдёт.",
    "choices_agree": "Сохраняя, вы соглашаетесь:",
    "data_title": "Ваши данные",
    "data_text": "Сначала мы отправим письмо на ваш адрес: эта страница могла попасть к кому-то другому.",
    "data_copy": "Получить копию моих данных",
    "data_erase": "Удалить мои данные",
    "data_by_shop": "Если хотите удалить свои данные, обратитесь в магазин.",
    "data_sent": "Мы отправили ссылку на {address}. Она действует одни сутки.",
    "data_wait": "Письмо уже в пути. Проверьте почту или попробуйте позже.",
    "data_no_address": "Мы не знаем адреса, на который отправить ссылку. Обратитесь, пожалуйста, в магазин.",
    "opt_in_title": "Можно вам писать?",
    "opt_in_text": "Предложения и новости будут приходить на {address}. Остановить их можно в любой момент.",
    "opt_in_button": "Да, пишите мне",
    "opted_in_title": "Спасибо, подтверждено",
    "opted_in_text": "Предложения и новости будут приходить на {address}.",
    "gone_title": "Подтверждать нечего",
    "gone_text": "Согласие тем временем отозвано, или адрес изменился.",
    "copy_title": "Копия ваших данных",
    "copy_text": "Всё, что {program} хранит о вас, одним файлом (JSON), который прочитают другие сервисы.",
    "copy_button": "Скачать",
    "erase_title": "Удалить ваши данные навсегда?",
    "erase_text": "{program} забудет ваш профиль, адреса, выбор и то, что мы вам писали. Это нельзя "
    "отменить.",
    "erase_bonuses": "Ваши бонусы сгорят: {balance}.",
    "erase_button": "Да, удалить всё",
    "erase_keep": "Нет, оставить",
    "erased_title": "Ваши данные удалены",
    "erased_text": "О ваших покупках осталось только то, чего требует закон, без вашего имени. Всего "
    "доброго.",
    "erase_refused_title": "Здесь этого сделать нельзя",
    "erase_refused_text": "Вашим счётом пользуются и другие. Обратитесь, пожалуйста, в магазин.",
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


def masked(address: str | None) -> str | None:
    """Enough to recognise one's own address; a link may be forwarded."""
    if not address:
        return None
    local, at, domain = address.rpartition("@")
    return f"{local[:1]}•••@{domain}" if at else f"{address[:4]} ••• {address[-4:]}"
