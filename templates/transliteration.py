"""Cyrillic in Latin letters, so that an SMS takes 160 characters and not 70.

Ukrainian by the table of the Cabinet of Ministers of Ukraine (resolution 55 of 27 January 2010). Every other
language by ICAO Doc 9303, part 3, section 6, as passports write names: nothing but letters of the 7-bit
alphabet, and the fewest of them.
"""

import re
import unicodedata

from templates.sms import is_gsm

_UKRAINIAN = {
    "а": "a", "б": "b", "в": "v", "г": "h", "ґ": "g", "д": "d", "е": "e", "є": "ie", "ж": "zh", "з": "z",
    "и": "y", "і": "i", "ї": "i", "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p",
    "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh",
    "щ": "shch", "ь": "", "ю": "iu", "я": "ia",
}  # fmt: skip
_AT_THE_START = {"є": "ye", "ї": "yi", "й": "y", "ю": "yu", "я": "ya"}
_ICAO = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "e", "ж": "zh", "з": "z", "и": "i",
    "й": "i", "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t",
    "у": "u", "ф": "f", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ъ": "ie", "ы": "y",
    "ь": "", "э": "e", "ю": "iu", "я": "ia", "ґ": "g", "є": "ie", "і": "i", "ї": "i", "ў": "u", "ђ": "d",
    "ј": "j", "љ": "lj", "њ": "nj", "ћ": "c", "џ": "dz", "ѓ": "g", "ќ": "k", "ѕ": "dz",
}  # fmt: skip
# What has no parts to fall into, and signs that money and numbers are written with.
_LATIN = {"ł": "l", "đ": "d", "ı": "i", "œ": "oe", "ħ": "h", "þ": "th", "ð": "d"}
_SIGNS = {"₴": "hrn", "₽": "rub", "№": "No", "″": '"', "′": "'"}
_LETTERS = r"[^\W\d_]"
_APOSTROPHE = re.compile(rf"(?<={_LETTERS})['’ʼ`](?=[єїюяєё])", re.IGNORECASE)
_WORD = re.compile(rf"{_LETTERS}+")
# An address that loses a letter leads nowhere.
_ADDRESS = re.compile(r"(?:https?://|www\.)\S+|\S+@\S+")


def transliterated(text: str, locale: str) -> str:
    """The text in Latin letters if the 7-bit alphabet can then hold all of it; else as it is.

    Addresses of pages and mail stay as they are, and so does what no table knows (an emoji): one such
    character makes the text UCS-2, where longer words would only cost more.
    """
    if is_gsm(text):
        return text
    ukrainian = locale.replace("_", "-").split("-")[0].lower() == "uk"
    pieces, at = [], 0
    for address in _ADDRESS.finditer(text):
        pieces += [_plain(text[at : address.start()], ukrainian), address[0]]
        at = address.end()
    latin = "".join([*pieces, _plain(text[at:], ukrainian)])
    return latin if is_gsm(latin, economically=True) else text


def _plain(text: str, ukrainian: bool) -> str:
    # A letter and its accent may come as two characters.
    text = unicodedata.normalize("NFC", text)
    if ukrainian:
        text = _APOSTROPHE.sub("", text)
    words = _WORD.sub(lambda word: _word(word[0], ukrainian), text)
    return "".join(_SIGNS.get(each, each) for each in words)


def _word(word: str, ukrainian: bool) -> str:
    written = []
    for place, letter in enumerate(word):
        if is_gsm(letter):
            written.append(letter)
            continue
        latin = _letter(word, place, ukrainian)
        # ЩО is SHCHO, and Що is Shcho.
        loud = letter.isupper() and (word[place + 1 : place + 2] or word[place - 1 : place]).isupper()
        written.append(latin.upper() if loud else latin.capitalize() if letter.isupper() else latin)
    return "".join(written)


def _letter(word: str, place: int, ukrainian: bool) -> str:
    letter = word[place].lower()
    if ukrainian and letter == "г" and place and word[place - 1].lower() == "з":
        return "gh"
    if ukrainian and place == 0 and letter in _AT_THE_START:
        return _AT_THE_START[letter]
    table = _UKRAINIAN if ukrainian else _ICAO
    if letter in table:
        return table[letter]
    known = _ICAO.get(letter, _LATIN.get(letter))
    return _bare(letter) if known is None else known


def _bare(letter: str) -> str:
    """Without its accents, if a letter of the 7-bit alphabet is left of it."""
    bare = "".join(it for it in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(it))
    return bare if bare and is_gsm(bare) else _ICAO.get(bare, letter)
