"""What a phone itself says around a card, by the phone's language; English where it is another one."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhoneWords:
    """Sentences of iOS and Android, in one language."""

    automatic_updates: str
    notifications: str
    suggest: str
    remove: str
    expires: str
    hold: str
    void: str
    expired: str
    now: str
    details: str
    member_name: str
    member_id: str
    valid_until: str


_BY_LANGUAGE = {
    "en": PhoneWords(
        "Automatic Updates", "Allow Notifications", "Suggest on Lock Screen", "Remove Pass", "Expires",
        "Hold Near Reader", "This card is no longer valid", "This card has expired", "now", "Details",
        "Member name", "Member ID", "Valid until",
    ),
    "uk": PhoneWords(
        "Автоматичне оновлення", "Дозволити сповіщення", "Пропонувати на замкненому екрані",
        "Вилучити картку", "Діє до", "Піднесіть до зчитувача", "Ця картка вже недійсна",
        "Термін дії картки минув", "зараз", "Відомості", "Ім’я учасника", "Номер учасника", "Дійсна до",
    ),
    "ru": PhoneWords(
        "Автообновление", "Допуск уведомлений", "Предлагать на экране блокировки", "Удалить карту",
        "Действует до", "Поднесите к терминалу", "Эта карта больше не действует",
        "Срок действия карты истёк", "сейчас", "Сведения", "Имя участника", "Номер участника",
        "Действительна до",
    ),
    "pl": PhoneWords(
        "Automatyczne uaktualnienia", "Pozwalaj na powiadomienia", "Sugeruj na ekranie blokady",
        "Usuń kartę", "Ważna do", "Zbliż do czytnika", "Ta karta nie jest już ważna",
        "Karta straciła ważność", "teraz", "Szczegóły", "Imię i nazwisko", "Numer uczestnika", "Ważna do",
    ),
    "de": PhoneWords(
        "Automatisch aktualisieren", "Mitteilungen erlauben", "Im Sperrbildschirm vorschlagen",
        "Karte entfernen", "Gültig bis", "An Lesegerät halten", "Diese Karte ist nicht mehr gültig",
        "Diese Karte ist abgelaufen", "jetzt", "Details", "Name des Mitglieds", "Mitgliedsnummer",
        "Gültig bis",
    ),
}  # fmt: skip


def phone_words(locale: str) -> PhoneWords:
    """Those of a phone set to this locale."""
    return _BY_LANGUAGE.get(locale.replace("_", "-").split("-")[0], _BY_LANGUAGE["en"])
