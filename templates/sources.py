"""The files of `messages/`: which message, channel and locale each is, and its front matter.

A message is a folder: `messages/<name>/[<locale>/]<channel file>`. A file directly in the folder is of the
program's default locale. Folders that begin with `_` hold parts to be included.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import Problem, Problems
from templates.located import Located, Source

ROOT = "messages/"
# What may stand beside a message's files, to be shown in its page.
PICTURES = (".png", ".jpg", ".jpeg", ".gif")
_FENCE = re.compile(r"\A---[ \t]*\n(.*?)^---[ \t]*(?:\n|\Z)", re.DOTALL | re.MULTILINE)
# `subject: {{ ... }}` reads as a YAML mapping; what is meant is plain.
_UNQUOTED_TAG = re.compile(r"^([\w-]+:[ \t]+)(\{[{%].*?)[ \t]*$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Kind:
    """How a channel is written: its files, best first, and the keys its front matter may and must have.

    `data.*` stands for any key in the mapping `data`. `email.txt` also serves as the text part of a page.
    `fault` says what is wrong with a key's value, and what to write instead.
    """

    files: tuple[str, ...]
    front: tuple[str, ...] = ()
    required: str | None = None
    fault: Callable[[str, str], tuple[str, str] | None] = field(
        default=lambda _key, _value: None, compare=False
    )


Kinds = Mapping[str, Kind]


@dataclass(frozen=True, slots=True)
class Slot:
    """One message in one channel and locale, with its files by name."""

    name: str
    channel: str
    locale: str
    files: Mapping[str, str] = field(hash=False, compare=False)
    kind: Kind = field(hash=False, compare=False)

    @property
    def main(self) -> str:
        """The path of the file that decides: MJML before HTML before text."""
        return next(self.files[name] for name in self.kind.files if name in self.files)


@dataclass(frozen=True, slots=True)
class Page:
    """A file taken apart: front matter values, each knowing where it stands, and the body."""

    source: Source
    front: Mapping[str, Located]
    body: Located


def split_path(path: str) -> tuple[str, str | None, str] | None:
    """(message, locale folder, file name) of a path under messages/; None for parts and other files."""
    pieces = path.removeprefix(ROOT).split("/")
    if not path.startswith(ROOT) or len(pieces) not in (2, 3) or pieces[0].startswith("_"):
        return None
    return pieces[0], pieces[1] if len(pieces) == 3 else None, pieces[-1]


def file_names(kinds: Kinds) -> dict[str, str]:
    """Every file name that is read, with its channel."""
    return {file: channel for channel, kind in kinds.items() for file in kind.files}


def index(paths: Iterable[str], default_locale: str, kinds: Kinds) -> dict[tuple[str, str, str], Slot]:
    """Every slot by (message, channel, locale); a locale's folder wins over the message's own folder."""
    names = file_names(kinds)
    files: dict[tuple[str, str, str], dict[str, str]] = {}
    for path in sorted(paths, key=lambda each: each.count("/")):
        found = split_path(path)
        if found and (channel := names.get(found[2])):
            key = (found[0], channel, found[1] or default_locale)
            files.setdefault(key, {})[found[2]] = path
    return {key: Slot(*key, paths_, kinds[key[1]]) for key, paths_ in files.items()}


def read(files: Mapping[str, bytes], path: str) -> Source:
    """A file as text with Unix line ends; Problems if it is not UTF-8."""
    try:
        text = files[path].decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        line = files[path].count(b"\n", 0, broken.start) + 1
        raise Problems([Problem(path, line, 1, "", "is not UTF-8", "save the file as UTF-8")]) from None
    return Source(path, text.replace("\r\n", "\n").replace("\r", "\n"))


def page(source: Source, kind: Kind) -> Page:
    """The file's front matter and body; Problems for YAML that cannot be read and for unknown keys."""
    fence = _FENCE.match(source.text)
    if not fence:
        return Page(source, {}, Located.slice(source, 0))
    front = _front(source, fence.start(1), fence[1], kind.front)
    return Page(source, front, Located.slice(source, fence.end()))


def part_paths(path: str, locales: Iterable[str]) -> list[str]:
    """Where an included part is looked for: `_parts/footer.mjml` in `_parts/uk/`, then in `_parts/`."""
    clean = posixpath.normpath(path.removeprefix(ROOT).lstrip("/"))
    folder, name = posixpath.split(clean)
    places = [posixpath.join(folder, locale, name) for locale in locales] + [clean]
    return [ROOT + place for place in places if not place.startswith("..")]


def _front(source: Source, start: int, text: str, known: tuple[str, ...]) -> dict[str, Located]:
    values: dict[str, Located] = {}
    problems: list[Problem] = []
    for key, value, key_at, value_at in _scalars(source, start, text, known):
        if not _is_known(key, known):
            fix = f"it may have {', '.join(known)}" if known else "this channel has none"
            problems.append(source.problem(key_at, f"front matter has no key '{key}'", fix))
        elif key in values:
            problems.append(source.problem(key_at, f"'{key}' stands twice", "leave one"))
        else:
            found = source.text.find(value, value_at, start + len(text))
            values[key] = (
                Located.slice(source, found, found + len(value))
                if found >= 0
                else _moved(source, value, value_at)
            )
    if problems:
        raise Problems(problems)
    return values


def _moved(source: Source, value: str, offset: int) -> Located:
    """A value whose characters are not those of the file (folded or escaped): placed where it begins."""
    placed = Located.slice(source, offset, offset)
    return Located(value, placed.spans)


def _is_known(key: str, known: tuple[str, ...]) -> bool:
    owner, dot, _ = key.partition(".")
    return key in known if not dot else f"{owner}.*" in known


def _scalars(
    source: Source, start: int, text: str, known: tuple[str, ...]
) -> list[tuple[str, str, int, int]]:
    """(key, value, offset of the key, offset of the value) for every line of the front matter."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    quoted = _UNQUOTED_TAG.sub(lambda line: f"{line[1]}'{line[2].replace(chr(39), chr(39) * 2)}'", text)
    try:
        node = YAML(typ="rt", pure=True).compose(quoted)
    except MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        what = f"front matter is not YAML: {broken.problem or broken.context}"
        at = min(_offset(text, mark.line, 0) if mark else 0, len(text.rstrip()))
        raise Problems([source.problem(start + at, what, "put the value in quotes")]) from None
    except YAMLError as broken:
        # The reader's own error: what is pasted from a page or a document brings such characters along.
        at = min(getattr(broken, "position", 0), len(text))
        what = "front matter has a character that YAML does not allow"
        raise Problems([source.problem(start + at, what, "remove it")]) from None
    if node is None:
        return []
    if node.id != "mapping":
        raise Problems([source.problem(start, "front matter is not a mapping", "write key: value")])
    found = []
    for name, key, value in _pairs(node, known):
        key_at = start + _offset(text, key.start_mark.line, key.start_mark.column)
        value_at = start + _offset(text, value.start_mark.line, value.start_mark.column)
        if value.id != "scalar":
            raise Problems([source.problem(value_at, f"'{name}' is not a text", "put it in quotes")])
        found.append((name, str(value.value).strip(), key_at, value_at))
    return found


def _pairs(node: Any, known: tuple[str, ...]) -> Iterator[tuple[str, Any, Any]]:
    """(name, key, value) of a mapping; what stands in `data:` is `data.…` where the channel has `data.*`."""
    for key, value in node.value:
        if value.id == "mapping" and f"{key.value}.*" in known:
            yield from ((f"{key.value}.{inner.value}", inner, its) for inner, its in value.value)
        else:
            yield str(key.value), key, value


def _offset(text: str, line: int, column: int) -> int:
    before = sum(len(each) for each in text.splitlines(keepends=True)[:line])
    return min(before + column, len(text))
