"""What Jinja cannot read, said in the words of the person who wrote it, and where it is mended."""

import re
from ast import literal_eval
from unicodedata import name

from jinja2 import TemplateSyntaxError

from core.errors import Problem
from templates.located import Located

_UNCLOSED = re.compile(r"innermost block that needs to be closed is '(\w+)'")
_UNKNOWN_TAG = re.compile(r"unknown tag '(\w+)'")
_CHARACTER = re.compile(r"""unexpected char (['"].+['"]) at (\d+)""")
_UNWANTED = re.compile(r"(?:unexpected|got) '([^ ']+)'")
_QUOTES = "«»“”„‘’"
# What a text that ends too early was in the middle of: how that begins, and how it ends.
_OPEN = {
    "'end of print statement'": ("{{", "}}"),
    "'end of statement block'": ("{%", "%}"),
    "end of comment tag": ("{#", "#}"),
    "end of raw directive": ("{% raw", "{% endraw %}"),
}
# What other languages call Jinja's tags.
_MEANT = {
    "end": "{% endif %} or {% endfor %}",
    "elsif": "{% elif … %}",
    "elseif": "{% elif … %}",
    "foreach": "{% for … in … %}",
    "unless": "{% if not … %}",
}


def syntax_problem(located: Located, wrong: TemplateSyntaxError) -> Problem:
    """Jinja's complaint, where it can be mended."""
    line = located.line_start(wrong.lineno)
    offset, what, fix = _said(located.text, line, wrong.message or "is not a template")
    return located.problem(offset, what, fix, "template-syntax")


def _said(text: str, line: int, message: str) -> tuple[int, str, str]:
    """Where, what is wrong, what to write."""
    if found := _CHARACTER.search(message):
        return _character(text, line, str(literal_eval(found[1])), int(found[2]))
    tag = _UNKNOWN_TAG.search(message)
    if tag and not (tag[1].startswith("end") and _UNCLOSED.search(message)):
        return _unknown_tag(text, line, tag[1])
    if found := _UNCLOSED.search(message):
        return line, f"'{found[1]}' is not closed", f"write {{% end{found[1]} %}}"
    if message.startswith(("unexpected end of template", "Missing end")):
        for sign, (begin, end) in _OPEN.items():
            if sign in message:
                return max(line, text.rfind(begin)), f"'{begin}' is not closed", f"write {end}"
    if "unexpected 'end of template'" in message:
        begin, end = max((("{{", "}}"), ("{%", "%}")), key=lambda signs: text.rfind(signs[0]))
        return max(line, text.rfind(begin)), f"'{begin}' is not closed", f"write {end}"
    nothing = ("Expected an expression", "expected name", "unexpected 'end of ")
    if message.startswith(nothing) or "got 'end of " in message:
        return line, "a tag in which something is missing", "write for example {{ balance }}"
    if found := _UNWANTED.search(message):
        return line, f"'{found[1]}' cannot stand here", _instead(found[1])
    return line, message.partition(". ")[0].rstrip("."), ""


def _character(text: str, line: int, character: str, at: int) -> tuple[int, str, str]:
    # Jinja counts a line's end as one character, also where it is two.
    offset = at if text[at : at + 1] == character else line
    if character in "\"'":
        return offset, "a quote that is never closed", "close it"
    fix = 'write plain quotes: "…"' if character in _QUOTES else "remove it"
    # What is pasted brings along what nobody sees.
    shown = character if character.isprintable() else name(character, "a character that is not seen").lower()
    return offset, f"'{shown}' cannot stand in a tag", fix


def _unknown_tag(text: str, line: int, tag: str) -> tuple[int, str, str]:
    found = re.compile(rf"\{{%[-+]?\s*{tag}\b").search(text, line)
    offset = found.start() if found else line
    if tag in _MEANT:
        return offset, f"there is no tag '{tag}'", f"write {_MEANT[tag]}"
    if tag.startswith("end") or tag in ("else", "elif"):
        opening = "if" if tag in ("else", "elif") else tag.removeprefix("end")
        return offset, f"'{tag}' without {{% {opening} … %}} before it", "remove it"
    return offset, f"there is no tag '{tag}'", "tags are if, for, set and include; a value stands in {{ … }}"


def _instead(unwanted: str) -> str:
    if unwanted == "=":
        return "write == to compare"
    return "a value stands in {{ … }}, a condition in {% if … %}"
