"""The short texts of a card, compiled once for each locale and filled in with one customer's facts."""

import re
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from jinja2 import Template, TemplateError, Undefined

from core.program import Program
from core.units import day
from templates.context import ProgramView
from templates.environment import RenderError
from templates.facts import Context
from templates.library import Library
from wallet.design import Place

_EXPRESSION = re.compile(r"\s*\{\{(((?!\{\{|\}\}).)+)\}\}\s*", re.DOTALL)


class CardTexts:
    """The templates and conditions of one card. Safe to share between threads."""

    def __init__(self, library: Library, file: str) -> None:
        """`file` is the card's path, for errors."""
        self._library, self._file = library, file
        self._compiled: dict[tuple[str, str], Template] = {}
        self._near: dict[tuple[str, str, tuple[Place, ...]], tuple[Place, ...]] = {}

    def names(self, locale: str, context: Context) -> dict[str, Any]:
        """Everything that a template in this locale may use."""
        return {**self._library.environment(locale, "text").globals, **context}

    def render(self, source: str, locale: str, names: dict[str, Any]) -> str:
        """The text with these `names`. RenderError without any value of them."""
        if "{" not in source:
            return source
        try:
            template = self._template(locale, source)
            return "".join(template.root_render_func(_frame(template, names)))
        except Exception as failed:  # noqa: BLE001 - however it fails, it is that card's failure
            raise self._error(source, failed) from None

    def near(self, source: str, locale: str, stores: tuple[Place, ...]) -> tuple[Place, ...]:
        """Stores with what the lock screen says there; all who shop in one place have the same."""
        told = self._near.get((source, locale, stores))
        if told is None:
            names = [self.names(locale, {"store": {"name": store.text}}) for store in stores]
            texts = [self.render(source, locale, each).strip() for each in names]
            told = tuple(store._replace(text=text) for store, text in zip(stores, texts, strict=True))
            self._near[source, locale, stores] = told
        return told

    def value(self, expression: str, locale: str, names: dict[str, Any]) -> Any:
        """What an expression comes to, None for what is not known. RenderError as of `render`."""
        try:
            template = self._template(locale, f"{{% set result = {expression} %}}")
            frame = _frame(template, names)
            deque(template.root_render_func(frame), maxlen=0)
        except Exception as failed:  # noqa: BLE001 - however it fails, it is that card's failure
            raise self._error(expression, failed) from None
        result = frame.vars["result"]
        return None if isinstance(result, Undefined) else result

    def day(self, source: str, locale: str, names: dict[str, Any]) -> date | None:
        """The day that a template gives; None if it gives nothing. RenderError if that is no day."""
        found = _EXPRESSION.fullmatch(source)
        # An expression alone keeps its type; printed, it would be a day in the words of the locale.
        given = self.value(found[1], locale, names) if found else self.render(source, locale, names)
        try:
            return day(given) if given else None
        except ValueError:
            raise RenderError(f"{self._file}: '{source}': not a day such as 2026-12-31") from None

    def _template(self, locale: str, source: str) -> Template:
        template = self._compiled.get((locale, source))
        if template is None:
            template = self._library.environment(locale, "text").from_string(source)
            self._compiled[locale, source] = template
        return template

    def _error(self, source: str, failed: Exception) -> RenderError:
        # Jinja's own words name attributes, never values; of other errors only the kind is told.
        reason = str(failed) if isinstance(failed, TemplateError) else type(failed).__name__
        return RenderError(f"{self._file}: '{source}': {reason}")


def _frame(template: Template, names: dict[str, Any]) -> Any:
    """What `Template.new_context` makes, without copying anything: the names already hold the globals."""
    environment = template.environment
    return environment.context_class(environment, names, template.name, template.blocks)


class Filled:
    """The renderer of one customer's card (wallet.design.Renderer)."""

    def __init__(
        self, texts: CardTexts, context: Context, locale: str, programs: Mapping[str, ProgramView]
    ) -> None:
        """`locale` is the customer's own; `programs` what is known of the program in each."""
        self._texts, self._context, self._programs = texts, context, programs
        self._locale, self._names = locale, {locale: texts.names(locale, context)}
        self._done: dict[tuple[str, str], str] = {}

    def render(self, source: str, locale: str) -> str:
        """The text of a template, in a language of the card."""
        # The card's number stands in several places.
        text = self._done.get((locale, source))
        if text is None:
            text = self._texts.render(source, locale, self._names_in(locale))
            self._done[locale, source] = text
        return text

    def near(self, source: str, locale: str, stores: tuple[Place, ...]) -> tuple[Place, ...]:
        """Stores with what the lock screen says there."""
        return self._texts.near(source, locale, stores)

    def day(self, source: str) -> date | None:
        """The day that a template gives."""
        return self._texts.day(source, self._locale, self._names[self._locale])

    def truthy(self, expression: str) -> bool:
        """Whether the expression holds for this customer."""
        return bool(self._texts.value(expression, self._locale, self._names[self._locale]))

    def _names_in(self, locale: str) -> dict[str, Any]:
        if locale not in self._names:
            context = {**self._context, "program": self._programs[locale]}
            self._names[locale] = self._texts.names(locale, context)
        return self._names[locale]


def programs(program: Program, locales: Iterable[str]) -> dict[str, ProgramView]:
    """What is known of the program in each of its locales."""
    return {
        locale: ProgramView(program.name, program.currency, program.terms_in(locale), program.url)
        for locale in locales
    }
