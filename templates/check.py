"""What is wrong with the messages, found before anything is sent; each finding stands where it is mended."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from weakref import WeakKeyDictionary

from jinja2 import TemplateSyntaxError, nodes

from core.errors import Problem, Problems
from templates import sources
from templates.circles import Circles, References
from templates.environment import MessageEnvironment
from templates.filters import plural_forms
from templates.fitting import Types, misfits
from templates.foreign import foreign
from templates.library import Library
from templates.located import Located
from templates.pages import Part
from templates.reading import Reading
from templates.syntax import syntax_problem
from templates.unlike import unlike

Names = Mapping[str, Collection[str] | None]

_TAG = re.compile(r"\{[{%#]")
_COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
# What Jinja itself gives inside loops and macros, and what an email's body knows of its own headers.
_GIVEN = frozenset({"loop", "caller", "varargs", "kwargs", "self", "super"})
_OWN_HEADERS = frozenset({"subject", "preheader"})
# How people call what may be spent.
_BALANCE = ("points", "bonus", "bonuses")

_READ: WeakKeyDictionary[MessageEnvironment, dict[str, Reading]] = WeakKeyDictionary()
_WRONG: WeakKeyDictionary[MessageEnvironment, dict[str, TemplateSyntaxError | None]] = WeakKeyDictionary()
_NO_WORD = re.compile("No (filter|test) named")


def check(
    library: Library, message_name: str, names: Names, trigger_name: str, *, purpose: str = "marketing",
    types: Types | None = None,
) -> list[Problem]:  # fmt: skip
    """Every problem of one message in every channel and locale.

    `names` are the roots a template may use with the attributes each has (a plain value has none, None is
    any), dotted for deeper ones; given in an order (not as a set) they are listed in it. A marketing email
    must offer `links.unsubscribe`. `types` are those of values, by dotted name, which filters must fit.
    """
    if message_name not in library.messages():
        return [_no_message(library, message_name)]
    problems: list[Problem] = []
    for (name, _, locale), slot in sorted(library.slots.items()):
        # Nobody is sent a text in a language that the program has not; `layout` tells of it.
        if name == message_name and locale in library.program_locales:
            problems += _slot_problems(library, slot, names, trigger_name, purpose, types or {})
    return sorted(set(problems))


def missing_locales(library: Library, message_name: str) -> list[Problem]:
    """Warnings: a channel that has its text in some of the program's locales, but not in all."""
    found = []
    for channel in library.channels(message_name):
        there = library.locales(message_name, channel)
        file = library.kinds[channel].files[0]
        for locale in (each for each in library.program_locales if each not in there):
            path = f"{sources.ROOT}{message_name}/{locale}/{file}"
            what = f"there is no {channel} text in '{locale}'"
            instead = library.has(message_name, channel, locale)
            fix = f"'{instead}' will be sent instead" if instead else "write it: nobody gets one"
            found.append(Problem(path, 0, 0, "", what, fix, "warning", "missing-locale"))
    return found


def layout(library: Library) -> list[Problem]:
    """Files under messages/ that nothing will read: misspelt names, locales the program does not have."""
    return [problem for path in sorted(library.files) if (problem := _misplaced(library, path))]


def point_names(names: Mapping[str, Collection[str]], locales: Iterable[str], file: str) -> list[Problem]:
    """Locales whose plural forms of the points' name are missing or not as many as the locale has."""
    problems = []
    for locale in locales:
        try:
            forms = plural_forms(locale)
        except ValueError as unknown:
            problems.append(Problem(file, 0, 0, "locales", str(unknown), "write a CLDR locale such as uk"))
            continue
        given = list(names.get(locale) or names.get(locale.split("-")[0]) or ())
        if len(given) != len(forms):
            what = f"{len(given)} of {len(forms)} plural forms: {', '.join(given) or 'none'}"
            fix = f"write {', '.join(forms)} in this order"
            problems.append(Problem(file, 0, 0, f"points.name.{locale}", what, fix))
    return problems


def short_text(
    library: Library, source: str, names: Names, *, expression: bool, types: Types
) -> list[tuple[str, str]]:
    """What is wrong with a template outside messages/, a card's value, and what to write instead."""
    environment = library.environment(library.default_locale, "text")
    text = f"{{{{ {source} }}}}" if expression else source
    try:
        said = Reading(environment.parse(text))
        environment.compile(text)
    except TemplateSyntaxError as wrong:
        return [
            (
                f"'{source}' is not a template: {(wrong.message or 'it cannot be read').rstrip('.')}",
                "correct it",
            )
        ]
    known = {*names, *environment.globals, *_GIVEN, *said.declared}
    found = (_complaint(dotted, known, names, "") for dotted in said.uses)
    judged = (said.tree, types, said.declared)
    unfit = ((it.what, it.fix) for it in (*misfits(*judged), *unlike(*judged))) if types else ()
    return [*(complaint for complaint in found if complaint), *unfit]


def _slot_problems(
    library: Library, slot: sources.Slot, names: Names, trigger_name: str, purpose: str, types: Types
) -> Iterator[Problem]:
    try:
        parts = library.parts(slot)
    except Problems as wrong:
        yield from wrong.problems
        yield from _names_in_files(library, slot, names, trigger_name)
        return
    written = [part for part in parts if not (part.rewritten and part.name == "text")]
    used: set[str] = set()
    if not any(_COMMENT.sub("", part.template).strip() for part in written):
        fix = "write a text, or remove the file"
        yield Problem(slot.main, 1, 1, "", "says nothing", fix, kind="missing-text")
        return
    yield from _front_faults(slot, written)
    for part in written:
        environment = library.environment(slot.locale, part.kind)
        extra = _OWN_HEADERS if slot.channel == "email" and part.name in ("html", "text") else frozenset()
        pages = list(_with_includes(library, slot.locale, part.located, environment))
        circles = Circles(partial(_references, environment), partial(library.find_part, locale=slot.locale))
        yield from circles.problems(part.file, part.located)
        extra = extra.union(*(_made_in(page, environment) for page in pages))
        for located in pages:
            page = _Page(located, environment, names, trigger_name, extra)
            yield from page.problems()
            yield from page.misfits(types)
            used |= page.used
    if slot.channel == "email" and purpose == "marketing" and "links.unsubscribe" not in used:
        fix = "add a link to {{ links.unsubscribe }}"
        what = "a marketing email without a way to unsubscribe"
        yield Problem(slot.main, 1, 1, "", what, fix, kind="no-unsubscribe")


def _front_faults(slot: sources.Slot, parts: Iterable[Part]) -> Iterator[Problem]:
    """Keys and values, read as the channel will read them; a value that is yet to be made is empty here."""
    for part in parts:
        if part.one_line:
            fault = slot.kind.fault(part.name, "" if _TAG.search(part.template) else part.template)
            if fault:
                yield part.located.problem(0, *fault)


def _names_in_files(
    library: Library, slot: sources.Slot, names: Names, trigger_name: str
) -> Iterator[Problem]:
    """Wrong names in files that cannot be taken apart: what is wrong with them otherwise hides none."""
    extra = _OWN_HEADERS if slot.channel == "email" else frozenset[str]()
    for path in slot.files.values():
        try:
            located = Located.slice(sources.read(library.files, path), 0)
        except Problems:
            continue
        page = _Page(located, library.environment(slot.locale, "text"), names, trigger_name, extra)
        yield from page.problems()


def _with_includes(
    library: Library, locale: str, located: Located, environment: MessageEnvironment
) -> Iterator[Located]:
    """The text and every part it brings in with `{% include %}`, each once."""
    queue, seen = [located], set[str]()
    while queue:
        text = queue.pop(0)
        yield text
        for _, path in _references(environment, text):
            source = library.find_part(path, locale)
            if source and source.file not in seen:
                seen.add(source.file)
                queue.append(Located.slice(source, 0))


def _references(environment: MessageEnvironment, located: Located) -> References:
    try:
        return _read(located, environment).references
    except TemplateSyntaxError:
        return ()


def _read(located: Located, environment: MessageEnvironment) -> Reading:
    known = _READ.setdefault(environment, {})
    text = located.text
    if text not in known:
        known[text] = Reading(environment.parse(text))
    return known[text]


class _Page:
    """One template text and the names it may use; after `problems()`, `used` are the names it uses."""

    def __init__(
        self,
        located: Located,
        environment: MessageEnvironment,
        names: Names,
        trigger_name: str,
        extra: frozenset[str],
    ) -> None:
        self._located = located
        self._environment = environment
        # What a text made itself may be anything: `{% set whom = customer %}{{ whom.name }}`.
        given = {name: frozenset[str]() if name in _OWN_HEADERS else None for name in extra}
        self._names: Names = {**names, **given}
        self._trigger, self._made = trigger_name, extra
        self.used: set[str] = set()

    def problems(self) -> Iterator[Problem]:
        try:
            reading = _read(self._located, self._environment)
        except TemplateSyntaxError as wrong:
            yield syntax_problem(self._located, wrong)
            return
        known = {*self._names, *self._environment.globals, *_GIVEN, *reading.declared}
        self.used = set(reading.uses)
        for dotted, line in reading.uses.items():
            if complaint := _complaint(dotted, known, self._names, self._trigger):
                yield from self._at(dotted, line, *complaint)
        yield from self._functions(reading)
        yield from self._missing_parts(reading)
        yield from self._placeholders(reading)
        for line, what, fix in reading.unkept:
            yield self._located.problem(self._find("\0", line), what, fix)
        if fault := _not_compiled(self._located.text, self._environment):
            yield syntax_problem(self._located, fault)

    def misfits(self, types: Types) -> Iterator[Problem]:
        """Values that are used as what they are not."""
        try:
            reading = _read(self._located, self._environment)
        except TemplateSyntaxError:
            return
        made = {*reading.declared, *self._made}
        for it in (*misfits(reading.tree, types, made), *unlike(reading.tree, types, made)):
            places = list(self._located.occurrences(it.dotted, it.follows))
            for offset in places or [self._located.line_start(it.line)]:
                yield self._located.problem(offset, it.what, it.fix, it.kind)

    def _at(self, dotted: str, line: int, what: str, fix: str) -> Iterator[Problem]:
        kind = "not-provided" if dotted.startswith("trigger.") else "unknown-template-name"
        places = list(self._located.occurrences(dotted)) or [self._located.line_start(line)]
        for offset in places:
            yield self._located.problem(offset, what, fix, kind)

    def _functions(self, reading: Reading) -> Iterator[Problem]:
        for each in reading.words:
            is_filter = isinstance(each, nodes.Filter)
            known = self._environment.filters if is_filter else self._environment.tests
            if each.name not in known:
                near = get_close_matches(each.name, known, 1)
                fix = f"did you mean '{near[0]}'?" if near else ""
                offset = self._find(rf"\b{re.escape(each.name)}\b", each.lineno)
                what = f"no {'filter' if is_filter else 'test'} '{each.name}'"
                yield self._located.problem(offset, what, fix, "unknown-filter")

    def _placeholders(self, reading: Reading) -> Iterator[Problem]:
        """Warnings of what other tools would fill in."""
        for text, line in reading.plain:
            for _, written, meant in foreign(text, self._names):
                offset = self._find(re.escape(written), line)
                what = f"'{written}' is sent as it stands"
                found = self._located.problem(offset, what, f"write {{{{ {meant} }}}}", "foreign-placeholder")
                yield replace(found, severity="warning")

    def _missing_parts(self, reading: Reading) -> Iterator[Problem]:
        for node, path in reading.references:
            optional = isinstance(node, nodes.Include) and node.ignore_missing
            if not optional and not _loads(self._environment, path):
                offset = self._find(re.escape(path), node.lineno)
                what = f"there is no part '{path}'"
                yield self._located.problem(offset, what, "parts stand in messages/_parts/", "missing-part")

    def _find(self, pattern: str, line: int) -> int:
        start = self._located.line_start(line)
        found = re.compile(pattern).search(self._located.text, start)
        return found.start() if found else start


def _not_compiled(text: str, environment: MessageEnvironment) -> TemplateSyntaxError | None:
    """What keeps a text that Jinja can read from being run; filters that there are not are told before."""
    known = _WRONG.setdefault(environment, {})
    if text not in known:
        known[text] = None
        try:
            environment.compile(text)
        except TemplateSyntaxError as wrong:
            if not _NO_WORD.match(wrong.message or ""):
                known[text] = wrong
    return known[text]


def _loads(environment: MessageEnvironment, path: str) -> bool:
    try:
        environment.get_template(path)
    except TemplateSyntaxError:
        return True
    except LookupError:
        return False
    return True


def _made_in(located: Located, environment: MessageEnvironment) -> frozenset[str]:
    """Names one file makes: those it includes may use them."""
    try:
        return _read(located, environment).declared
    except TemplateSyntaxError:
        return frozenset()


def _no_message(library: Library, name: str) -> Problem:
    near = get_close_matches(name, library.messages(), 1)
    fix = f"did you mean '{near[0]}'?" if near else f"put its texts into {sources.ROOT}{name}/"
    what = f"there is no message '{name}'"
    return Problem(f"{sources.ROOT}{name}/", 0, 0, "", what, fix, kind="unknown-name")


def _misplaced(library: Library, path: str) -> Problem | None:
    found = sources.split_path(path)
    if path.removeprefix(sources.ROOT).startswith("_"):
        return None
    if found is None:
        where = "messages/<name>/<locale>/<channel file>"
        return _unread(path, "nothing reads this file", f"a text stands at {where}")
    name, locale, file = found
    names = sources.file_names(library.kinds)
    if file.lower().endswith(sources.PICTURES):
        return None
    if file not in names:
        near = get_close_matches(file, names, 1)
        fix = f"did you mean '{near[0]}'?" if near else f"a text is one of {', '.join(names)}"
        return _unread(path, f"nothing reads a file named '{file}'", fix)
    if locale and locale not in library.program_locales:
        fix = f"its locales are {', '.join(library.program_locales)}"
        return _unread(path, f"the program has no locale '{locale}'", fix)
    slot = library.slots[name, names[file], locale or library.default_locale]
    before = slot.files[file] if path not in slot.files.values() else slot.main
    # A text beside a page is its plain part.
    if before != path and not (before == slot.main and file == "email.txt"):
        return _unread(path, f"nothing reads this file: {before} stands before it", "leave one of them")
    return None


def _unread(path: str, what: str, fix: str) -> Problem:
    return Problem(path, 0, 0, "", what, fix, "warning", "unread-file")


def _complaint(dotted: str, known: Collection[str], names: Names, trigger: str) -> tuple[str, str] | None:
    """What is wrong with a dotted name; None for one that may be used, or whose root is wrong itself."""
    owner, _, attribute = dotted.rpartition(".")
    if not owner:
        return None if dotted in known else (f"'{dotted}' is not known here", _instead(dotted, names))
    attributes = names.get(owner, None)
    if attributes is None or attribute in attributes:
        return None
    listed = sorted(attributes) if isinstance(attributes, set | frozenset) else list(attributes)
    if owner == "trigger":
        it_has = f"it provides {', '.join(listed)}" if listed else "it provides nothing"
        return f"'{dotted}' is not provided by {trigger}", it_has
    if not listed:
        return f"'{owner}' is a plain value and has no '{attribute}'", f"write {owner}"
    near = get_close_matches(attribute, listed, 1)
    it_has = f"did you mean '{owner}.{near[0]}'?" if near else f"{owner} has {', '.join(listed)}"
    return f"'{dotted}' is not known", _plain(attribute, names) or it_has


def _instead(name: str, names: Names) -> str:
    roots = sorted(each for each in names if "." not in each)
    near = get_close_matches(name, roots, 1)
    owners = [f"{owner}.{name}" for owner, attributes in names.items() if attributes and name in attributes]
    if plain := _plain(name, names):
        return plain
    if meant := [*owners[:1], *near]:
        return f"did you mean '{meant[0]}'?"
    return f"it may use {', '.join(roots)}"


def _plain(name: str, names: Names) -> str:
    """What belongs to nobody else, or has another name: `customer.balance`, `points`."""
    meant = "balance" if name in _BALANCE else name
    attributes = names.get(meant)
    return f"did you mean '{meant}'?" if attributes is not None and not attributes else ""
