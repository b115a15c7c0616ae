"""Cyrillic in Latin letters: the official Ukrainian table, and the passports' for other languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from templates.library import Library
from templates.reckoning import too_long
from templates.sms import economical, is_gsm, segments
from templates.transliteration import transliterated
from tests.support.world import ready

# The examples of the resolution itself.
OFFICIAL = """
Алушта Андрій Борщагівка Борисенко Вінниця Володимир Гадяч Богдан Згурський Ґалаґан Ґорґани
Донецьк Дмитро Єнакієве Гаєвич Короп'є Житомир Жанна Жежелів Закарпаття Казимирчук Медвин
Михайленко Іванків Іващенко Їжакевич Кадиївка Мар'їне Йосипівка Стрий Олексій Київ Коваленко
Лебедин Леонід Миколаїв Маринич Харків Христина Біла Церква Стеценко Чернівці Шевченко Шостка
Кишеньки Щербухи Гоща Гаращенко Юрій Корюківка Яготин Ярошенко Костянтин Знам'янка Феодосія
"""
WRITTEN = """
Alushta Andrii Borshchahivka Borysenko Vinnytsia Volodymyr Hadiach Bohdan Zghurskyi Galagan
Gorgany Donetsk Dmytro Yenakiieve Haievych Koropie Zhytomyr Zhanna Zhezheliv Zakarpattia
Kazymyrchuk Medvyn Mykhailenko Ivankiv Ivashchenko Yizhakevych Kadyivka Marine Yosypivka Stryi
Oleksii Kyiv Kovalenko Lebedyn Leonid Mykolaiv Marynych Kharkiv Khrystyna Bila Tserkva Stetsenko
Chernivtsi Shevchenko Shostka Kyshenky Shcherbukhy Hoshcha Harashchenko Yurii Koriukivka Yahotyn
Yaroshenko Kostiantyn Znamianka Feodosiia
"""


def test_ukrainian_follows_the_official_table() -> None:
    for cyrillic, latin in zip(OFFICIAL.split(), WRITTEN.split(), strict=True):
        assert transliterated(cyrillic, "uk-UA") == latin


@pytest.mark.parametrize(
    ("text", "locale", "latin"),
    [
        ("ЩО ЗГОРИТЬ, Розгін? Я", "uk", "SHCHO ZGHORYT, Rozghin? Ya"),
        ("Олеся, 500 ₴ – об’єднання", "uk", "Olesia, 500 hrn - obiednannia"),
        ("Щука, ёж, объём и Юлия", "ru", "Shchuka, ezh, obieem i Iuliia"),
        ("Вышиванка у Ельцова", "uk", "Vyshyvanka u Eltsova"),
        ("Łódź, żółć, café", "pl", "Lodz, zolc, café"),
        ("Деталі: https://k.example/ї за 5 хв", "uk", "Деталі: https://k.example/ї за 5 хв"),
        ("Деталі: https://k.example/x за 5 хв", "uk", "Detali: https://k.example/x za 5 khv"),
        ("З днем народження 🎂", "uk", "З днем народження 🎂"),
    ],
)
def test_what_stays_and_what_becomes_latin(text: str, locale: str, latin: str) -> None:
    assert economical(transliterated(text, locale)) == latin


def test_a_cyrillic_text_of_a_hundred_and_fifty_letters_fits_one_segment() -> None:
    text = (
        "Вітаємо! Сьогодні подвійні бонуси на каву і випічку, завтра теж. До зустрічі в кав'ярні біля дому. "
        "Покажіть картку на касі."
    )
    assert segments(text).count == 2
    assert segments(economical(transliterated(text, "uk"))).count == 1


@given(st.text(alphabet=st.characters(codec="utf-8")), st.sampled_from(["uk", "ru", "pl"]))
def test_a_text_becomes_latin_as_a_whole_or_not_at_all(text: str, locale: str) -> None:
    written = transliterated(text, locale)
    assert written == text or is_gsm(economical(written))
    assert transliterated(written, locale) == written


def library(transliterate: object, text: str) -> Library:
    scenario = "when: {birthday: {}}\nsteps: [{send: [sms], message: hi}]\nschedule: every day at 10:00\n"
    channels = {"sms": {"sender": "Kavarnia", "transliterate": transliterate}}
    files = {f"messages/hi/{it}/sms.txt": text for it in ("en", "uk")}
    return ready({"hi": scenario}, {"channels": channels}, files).library


def test_the_program_says_which_languages_go_out_in_latin_letters() -> None:
    for transliterate, said in (
        (False, "Знижка 5 бонусів"), (True, "Znyzhka 5 bonusiv"), (["uk"], "Znyzhka 5 bonusiv"),
        ("uk", "Znyzhka 5 bonusiv"), (["ru"], "Знижка 5 бонусів"), ([], "Знижка 5 бонусів"),
    ):  # fmt: skip
        rendered = library(transliterate, "Знижка {{ 5 | points }}").render("hi", "sms", "uk", {})
        assert rendered.parts["text"] == said


def test_the_check_reckons_the_text_as_it_leaves() -> None:
    text = "Сьогодні подвійні бонуси, завтра теж. " * 3
    [problem] = too_long(library(["ru"], text), "hi", [{}], 1)[:1]
    assert problem.what.startswith("needs 2 segments at worst (113 units in UCS-2")
    assert too_long(library(["uk", "en"], text), "hi", [{}], 1) == []
