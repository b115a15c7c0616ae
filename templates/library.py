"""A version's messages, ready to be rendered: every template is compiled once, when first needed."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Template, TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_undeclared_variables
from jinja2.runtime import Context

from core.errors import Problem, Problems, UserError
from core.letters import one_line
from templates import sources
from templates.environment import MessageEnvironment, PartLoader, RenderError
from templates.filters import Conventions
from templates.folding import folded
from templates.located import Source
from templates.pages import Part, parts_of
from templates.pieces import Pieces
from templates.plain import plain, tidy
from templates.sms import economical
from templates.syntax import syntax_problem
from templates.transliteration import transliterated


@dataclass(slots=True)
class Rendered:
    """What one customer gets in one channel.

    `locale` is the locale of the text, `wanted` the program's locale for this customer: if they differ,
    the text was not there in the customer's language. `parts`: email has subject, preheader, html and text
    (no html if only email.txt exists); push has title and body; every other channel has text. What else its
    front matter has is there under its key.
    """

    channel: str
    locale: str
    wanted: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Step:
    """One template of a message; its result may be used by the next ones under its own name."""

    part: Part
    template: Template


@dataclass(frozen=True, slots=True)
class _Compiled:
    slot: sources.Slot
    steps: tuple[_Step, ...]
    # What every template may call; names that it speaks of.
    given: Mapping[str, Any]
    latin: bool = False
    names: frozenset[str] | None = None


class Library:
    """The messages of one bundle version. Safe to share between threads."""

    def __init__(
        self,
        files: Mapping[str, bytes],
        *,
        kinds: sources.Kinds,
        default_locale: str,
        locales: Sequence[str],
        point_names: Mapping[str, Sequence[str]],
        currency: str,
        scale: int,
        time_zone: str = "UTC",
        transliterate: bool | Sequence[str] = False,
    ) -> None:
        """`transliterate`: the languages whose SMS go out in Latin letters, or whether all do."""
        self.files = MappingProxyType({p: c for p, c in files.items() if p.startswith(sources.ROOT)})
        self.default_locale = default_locale
        self.program_locales = tuple(dict.fromkeys([default_locale, *locales]))
        self.point_names = point_names
        self.kinds = MappingProxyType(dict(kinds))
        self.slots = sources.index(self.files, default_locale, self.kinds)
        self._currency, self._scale, self._zone = currency, scale, ZoneInfo(time_zone)
        self._transliterate = transliterate
        self._pictures: dict[tuple[str, str], Mapping[str, bytes]] = {}
        self._environments: dict[tuple[str, str], MessageEnvironment] = {}
        self._parts: dict[sources.Slot, tuple[Part, ...]] = {}
        self._compiled: dict[tuple[str, str, str], _Compiled] = {}
        self._known_locales = {each.replace("_", "-").lower(): each for each in self.program_locales}

    def messages(self) -> list[str]:
        """The names of all messages, sorted."""
        return sorted({name for name, _, _ in self.slots})

    def pictures(self, name: str, locale: str) -> Mapping[str, bytes]:
        """The pictures beside a message's files, by name; a locale's own stand before the message's."""
        found = self._pictures.get((name, locale))
        if found is None:
            found = {}
            for folder in (f"{sources.ROOT}{name}/", f"{sources.ROOT}{name}/{locale}/"):
                inside = {path.removeprefix(folder): path for path in self.files if path.startswith(folder)}
                found |= {
                    file: self.files[path]
                    for file, path in inside.items()
                    if "/" not in file and file.lower().endswith(sources.PICTURES)
                }
            self._pictures[name, locale] = found
        return found

    def sent(self) -> list[sources.Slot]:
        """What somebody may be sent: nobody is, in a language that the program has not."""
        return [slot for _, slot in sorted(self.slots.items()) if slot.locale in self.program_locales]

    def channels(self, name: str) -> list[str]:
        """The channels a message has a text for, in any locale."""
        return [each for each in self.kinds if any(s[:2] == (name, each) for s in self.slots)]

    def locales(self, name: str, channel: str) -> list[str]:
        """The program's locales in which the message stands in this channel, the program's order."""
        return [each for each in self.program_locales if (name, channel, each) in self.slots]

    def wanted(self, locale: str | None) -> str:
        """The program's locale for a customer's: `uk-UA` is `uk`, and `en-US` `en-GB` where that is all the
        English there is; the default if there is none of the language.
        """
        if locale in self.program_locales:
            return locale
        if not locale:
            return self.default_locale
        asked, known = locale.replace("_", "-").lower(), self._known_locales
        found = known.get(asked) or known.get(_language(locale))
        return found or next(self._of_language(locale), self.default_locale)

    def chain(self, locale: str | None) -> list[str]:
        """The locales tried for a customer, best first: none of another language before all of theirs."""
        wanted = self.wanted(locale)
        return list(dict.fromkeys([wanted, *self._of_language(wanted), *self.program_locales]))

    def _of_language(self, locale: str) -> Iterator[str]:
        return (each for each in self.program_locales if _language(each) == _language(locale))

    def has(self, name: str, channel: str, locale: str | None) -> str | None:
        """The locale the text would be in; None if there is no text (the gate `missing_text`)."""
        return next((each for each in self.chain(locale) if (name, channel, each) in self.slots), None)

    def render(self, name: str, channel: str, locale: str | None, context: Mapping[str, object]) -> Rendered:
        """What the customer gets. `context` is described in templates/context.py.

        Raises UserError if there is no such text, Problems if a template is wrong, RenderError if it fails
        on these facts.
        """
        wanted = self.wanted(locale)
        compiled = self._ready(name, channel, wanted)
        return Rendered(channel, compiled.slot.locale, wanted, _run(compiled, context))

    def names(self, name: str, channel: str, locale: str | None) -> frozenset[str] | None:
        """What a message speaks of (`customer`, `tier`, …); None where that cannot be told beforehand.

        Raises as `render`.
        """
        return self._ready(name, channel, self.wanted(locale)).names

    def as_sms(self, text: str, locale: str) -> str:
        """A rendered text of this locale as it leaves, which is what is counted and paid for."""
        return _as_sms(text, locale if self._is_latin(locale) else None)

    def _is_latin(self, locale: str) -> bool:
        wanted = self._transliterate
        return wanted if isinstance(wanted, bool) else _language(locale) in wanted

    def parts(self, slot: sources.Slot) -> tuple[Part, ...]:
        """A slot's template texts, located; Problems for files that cannot be taken apart."""
        found = self._parts.get(slot)
        if found is None:
            made = parts_of(self.files, slot, lambda path: self.find_part(path, slot.locale))
            found = self._parts[slot] = tuple(made)
        return found

    def find_part(self, path: str, locale: str) -> Source | None:
        """A part to be included, in the message's own locale if it stands there."""
        found = next((p for p in sources.part_paths(path, self.chain(locale)) if p in self.files), None)
        return sources.read(self.files, found) if found else None

    def environment(self, locale: str, kind: str) -> MessageEnvironment:
        """The sandbox for one locale and kind of text: html, sms, text or `derived` (text from HTML)."""
        made = self._environments.get((locale, kind))
        if made is None:
            loader = PartLoader(lambda path: _loaded(self.find_part(path, locale)))
            conventions = self._conventions(locale, plain=kind == "sms")
            made = MessageEnvironment(
                conventions, autoescape=kind == "html", trim=kind != "derived", loader=loader
            )
            self._environments[locale, kind] = made
        return made

    def _conventions(self, locale: str, *, plain: bool) -> Conventions:
        names = self.point_names
        forms = names.get(locale) or names.get(_language(locale)) or names.get(self.default_locale) or ()
        return Conventions(locale, tuple(forms), self._currency, self._scale, self._zone, plain)

    def _ready(self, name: str, channel: str, locale: str) -> "_Compiled":
        compiled = self._compiled.get((name, channel, locale))
        if compiled is None:
            compiled = self._compiled[name, channel, locale] = self._compile(name, channel, locale)
        return compiled

    def _compile(self, name: str, channel: str, locale: str) -> _Compiled:
        resolved = self.has(name, channel, locale)
        if resolved is None:
            file = self.kinds[channel].files[0] if channel in self.kinds else f"{channel}.txt"
            raise UserError(f"messages/{name}/: there is no {channel} text; add {file}")
        slot = self.slots[name, channel, resolved]
        steps = tuple(_Step(part, self._template(slot, part)) for part in self.parts(slot))
        trees = [self.environment(slot.locale, it.part.kind).parse(it.part.template) for it in steps]
        given = dict(steps[0].template.globals)
        return _Compiled(slot, steps, given, self._is_latin(slot.locale), _names(trees))

    def _template(self, slot: sources.Slot, part: Part) -> Template:
        environment = self.environment(slot.locale, part.kind)
        try:
            tree = folded(environment.parse(part.template, part.file), environment)
            code = environment.compile(tree, name=part.file)
        except TemplateSyntaxError as wrong:
            raise Problems([syntax_problem(part.located, wrong)]) from None
        return Template.from_code(environment, code, environment.globals)


def _language(locale: str) -> str:
    return locale.replace("_", "-").split("-")[0].lower()


def _names(trees: Sequence[nodes.Template]) -> frozenset[str] | None:
    # A part that is included sees the whole context.
    apart = (it for tree in trees for it in tree.find_all((nodes.Include, nodes.Extends)))
    imported = (it for tree in trees for it in tree.find_all((nodes.Import, nodes.FromImport)))
    if any(apart) or any(getattr(it, "with_context", True) for it in imported):
        return None
    return frozenset(name for tree in trees for name in find_undeclared_variables(tree))


def _run(compiled: _Compiled, context: Mapping[str, object]) -> dict[str, str]:
    rendered: dict[str, str] = {}
    names: dict[str, Any] = {**compiled.given, **context, "subject": "", "preheader": ""}
    latin = compiled.slot.locale if compiled.latin else None
    for step in compiled.steps:
        try:
            pieces = step.template.root_render_func(_frame(step.template, names))
            text = (
                Pieces.joined(pieces)
                if step.part.kind == "html"
                else _finished(step.part, "".join(pieces), latin)
            )
        except Exception as failed:  # noqa: BLE001 - however a template fails, it is that message's failure
            raise _render_error(step, failed) from None
        rendered[step.part.name] = names[step.part.name] = text
    if "text" not in rendered and "html" in rendered:
        rendered["text"] = plain(rendered["html"])
    return rendered


def _frame(template: Template, names: dict[str, Any]) -> Context:
    """What `Template.new_context` makes, without copying anything: the names already hold the globals."""
    environment = template.environment
    return environment.context_class(environment, names, template.name, template.blocks)


def _finished(part: Part, text: str, latin: str | None) -> str:
    """A text that is no page."""
    if part.kind == "sms":
        return _as_sms(text, latin)
    return one_line(text) if part.one_line else tidy(text)


def _as_sms(text: str, latin: str | None) -> str:
    return economical(text if latin is None else transliterated(text, latin))


def _render_error(step: _Step, failed: Exception) -> RenderError:
    """File, line and reason; Jinja's own words name attributes, never values, others only their kind."""
    line = next(_template_lines(step.template, failed), 0)
    located = step.part.located
    what, fix = (str(failed), "") if isinstance(failed, TemplateError) else _reason(failed)
    if not line or step.part.rewritten:
        return RenderError(str(Problem(step.part.file, 0, 0, "", what, fix)))
    source, offset = located.at(located.line_start(line))
    at = source.text.count("\n", 0, offset) + 1
    return RenderError(str(Problem(source.file, at, 1, "", what, fix)))


def _reason(failed: Exception) -> tuple[str, str]:
    """What failed, and what to do about it."""
    if (text := str(failed)).endswith("is needed"):
        return text, ""
    if isinstance(failed, ArithmeticError):
        return "a division by nothing", "ask first whether there is anything: {% if … %}"
    if isinstance(failed, TypeError):
        what = "reckons with, or compares, a value that is not known or is of another kind"
        return what, "ask first whether there is one: {% if … %}"
    return f"{type(failed).__name__} while rendering", ""


def _template_lines(template: Template, failed: Exception) -> Iterator[int]:
    trace = failed.__traceback__
    while trace:
        if trace.tb_frame.f_globals.get("__jinja_template__") is template or (
            trace.tb_frame.f_code.co_filename in (template.filename, "<template>", template.name)
        ):
            yield template.get_corresponding_lineno(trace.tb_lineno)
        trace = trace.tb_next


def _loaded(source: Source | None) -> tuple[str, str] | None:
    return (source.file, source.text) if source else None
