"""A new scenario: asked for, written with its texts in every locale and a test, checked before it is kept."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from json import dumps
from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from campaigns.audience import Names, read_audience
from campaigns.bundle import Bundle, check
from campaigns.explaining.words import phrasebook
from campaigns.fields import FIELDS
from campaigns.running import findings
from campaigns.scenario import Purpose, is_name
from channels import discover as discover_channels
from core.errors import Problem, Problems, UserError
from core.explain import suggest
from core.program import Program
from core.source import load
from tidings.proof import language_of
from tidings.workspace import Workspace
from tidings.writing_tests import passing_test
from triggers import discover as discover_triggers

# Question, known choices, default → answer. After an answer that is none, the question begins with why.
Ask = Callable[[str, list[str], str], str]
# What is wrong with an answer, and what to write; empty for a right one.
Wrong = Callable[[str], str]

SCHEDULE = "every day at 10:00"
# What a parameter that must be there begins with; a segment is the first of the workspace.
EXAMPLES = {
    "ahead": "[14 days, 3 days]", "for": "60 days", "missing": "500", "at_least": "100", "name": "app_opened",
    "every": "monday at 10:00",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Given:
    """What was said beforehand; the rest is asked, or taken from the defaults."""

    name: str | None = None
    trigger: str | None = None
    parameters: Mapping[str, str] | None = None
    audience: str | None = None
    message: str | None = None
    channels: tuple[str, ...] = ()
    schedule: str | None = None
    purpose: str | None = None
    about: str | None = None


def write(here: Workspace, given: Given, ask: Ask | None) -> list[Path]:
    """Ask, write, return what was written. Nothing is overwritten, and nothing is kept that is not right.

    UserError for a name that is taken or an answer that is no choice, Problems for parts that do not fit.
    """
    bundle = here.bundle()
    checked = check(bundle, discover_triggers(), discover_channels())
    if checked.program is None:
        raise Problems(checked.errors)
    answers = _Answers(given, ask, checked.program, bundle)
    files = answers.files()
    for path in files:
        if (here.path / path).exists():
            raise UserError(f"{path} is there already and stays as it is; choose another name")
    whole = Bundle({**bundle.files, **{path: text.encode() for path, text in files.items()}})
    if wrong := [it for it in findings(whole) if it.severity == "error" and it.file in files]:
        raise Problems(wrong)
    test = f"tests/{answers.name}.yaml"
    if (here.path / test).exists():
        raise UserError(f"{test} is there already and stays as it is; choose another name")
    files[test] = passing_test(whole, answers.name)
    return [_kept(here.path / path, text) for path, text in files.items()]


def _kept(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
    return path


class _Answers:
    """The questions, in their order, and the files that the answers come to."""

    def __init__(self, given: Given, ask: Ask | None, program: Program, bundle: Bundle) -> None:
        self._ask, self._program, self._bundle = ask, program, bundle
        self.name = self._name(given.name)
        self.about = self._said("What is it for, in one sentence", given.about, f"What {self.name} is for.")
        kinds = discover_triggers()
        self.trigger = kinds[self._chosen("What does it wait for", given.trigger, list(kinds), "schedule")]
        self.parameters = dict(self._parameters(given.parameters or {}))
        self.audience = given.audience
        if self.audience is None:  # what is given is checked with the rest, and told with its place
            question = "Who of them, as YAML (all if empty)"
            self.audience = self._right(question, None, "", self._wrong_audience, [*FIELDS])
        purposes = list(get_args(Purpose))
        self.purpose = self._chosen("Its purpose", given.purpose, purposes, "marketing")
        self.message = self._said("The message's folder", given.message, self.name)
        self.channels = self._channels(given.channels)
        self.schedule = given.schedule
        if self.trigger.kind == "state":
            self.schedule = self._said("When is it looked up", given.schedule, SCHEDULE)

    def _name(self, given: str | None) -> str:
        return self._right("The scenario's name", given, "", self._wrong_name)

    def _wrong_name(self, name: str) -> str:
        if not is_name(name):
            return f"'{name}' is not a name; write letters, digits and '-', for example 'win-back'"
        there = f"scenarios/{name}.yaml" in self._bundle.files
        return f"scenarios/{name}.yaml is there already and stays as it is; choose another name" * there

    def _said(self, question: str, given: str | None, default: str, choices: Sequence[str] = ()) -> str:
        if given is not None:
            return given
        return self._ask(question, list(choices), default).strip() if self._ask else default

    def _right(
        self, question: str, given: str | None, default: str, wrong: Wrong, choices: Sequence[str] = ()
    ) -> str:
        """An answer with nothing wrong: at a terminal it is asked again, elsewhere it is a UserError."""
        said = self._said(question, given, default, choices)
        while complaint := wrong(said):
            if self._ask is None or given is not None:
                raise UserError(complaint)
            said = self._said(f"{complaint}\n{question}", None, default)
        return said

    def _chosen(self, question: str, given: str | None, choices: Sequence[str], default: str) -> str:
        return self._right(question, given, default, lambda said: _no_choice(said, choices), choices)

    def _parameters(self, given: Mapping[str, str]) -> Iterator[tuple[str, str]]:
        fields = {field.alias or key: field for key, field in self.trigger.Parameters.model_fields.items()}
        for name in given:
            if name not in fields:
                raise UserError(
                    f"{self.trigger.name} has no parameter '{name}'; {suggest(name, list(fields))}"
                )
        for name, field in fields.items():
            about = f"{name}: {field.description}" if field.description else name
            default = self._default(name, field, bool(given))
            value = given.get(name)
            if value is None:
                value = self._right(about, None, default, partial(self._wrong_parameter, name))
            if value:
                yield name, value

    def _wrong_parameter(self, name: str, value: str) -> str:
        if not value:
            return ""
        problems: list[Problem] = []
        path = ("when", self.trigger.name)
        document = load(f"when: {{{self.trigger.name}: {{{name}: {value}}}}}", "the answer", problems)
        if document is not None:
            document.validate(self.trigger.Parameters, problems, at=path, noun="parameter")
        return _told(it for it in problems if it.path in ("", f"when.{self.trigger.name}.{name}"))

    def _wrong_audience(self, text: str) -> str:
        problems: list[Problem] = []
        document = load(f"audience: {text}", "the answer", problems) if text else None
        if document is not None:
            names = Names(
                tiers=self._program.tier_names, channels=list(self._program.channels),
                segments=self._bundle.names_in("segments"), scenarios=self._bundle.names_in("scenarios"),
            )  # fmt: skip
            read_audience(document, ("audience",), names, problems)
        return _told(problems)

    def _default(self, name: str, field: FieldInfo, others: bool) -> str:
        # One of `at`, `cron` and `every` must be there: every, unless another was given.
        needed = field.is_required() or (name == "every" and not others and self.trigger.name == "schedule")
        if not needed:
            return ""
        if name == "segment":
            return next(iter(self._bundle.names_in("segments")), "")
        if name == "name" and self._program.events:
            return self._program.events[0]
        return EXAMPLES.get(name, "")

    def _channels(self, given: tuple[str, ...]) -> list[str]:
        known = [name for name in discover_channels() if name in self._program.channels]
        usual = [name for name in ("push", "email", "sms") if name in known] or known
        said = ", ".join(given) or None
        question = "By which channels, in their order"
        return _listed(self._right(question, said, ", ".join(usual), partial(_no_channel, known), known))

    # --- what is written

    def files(self) -> dict[str, str]:
        """Path → text: the scenario, and its message unless that is there."""
        found = {f"scenarios/{self.name}.yaml": self._scenario()}
        if self.message not in self._bundle.messages:
            found |= dict(self._texts())
        return found

    def _scenario(self) -> str:
        lines = [f"about: {dumps(self.about, ensure_ascii=False)}", f"purpose: {self.purpose}", "when:"]
        if self.parameters:
            lines.append(f"  {self.trigger.name}:")
            lines += [f"    {name}: {value}" for name, value in self.parameters.items()]
        else:
            lines.append(f"  {self.trigger.name}: {{}}")
        if self.audience:
            lines.append(f"audience: {self.audience}")
        lines += [
            "steps:",
            "  - id: hello",
            f"    message: {self.message}",
            f"    send: [{', '.join(self.channels)}]",
        ]
        if self.schedule:
            lines.append(f"schedule: {self.schedule}")
        return "\n".join(lines) + "\n"

    def _texts(self) -> Iterator[tuple[str, str]]:
        for locale in self._program.locales:
            words = phrasebook(language_of(locale))["writing"]
            for name in self.channels:
                file = discover_channels()[name].text_files[0]
                yield (
                    f"messages/{self.message}/{locale}/{file}",
                    _text(file, words, self.purpose == "marketing"),
                )


def _told(problems: Iterable[Problem]) -> str:
    """What is wrong with an answer, without a place: it stands in no file."""
    return "; ".join(f"{it.what}; {it.fix}" if it.fix else it.what for it in problems)


def _listed(said: str) -> list[str]:
    return [each.strip() for each in said.split(",") if each.strip()]


def _no_choice(said: str, choices: Sequence[str]) -> str:
    return "" if said in choices else f"there is no '{said}' to choose; {suggest(said, choices)}"


def _no_channel(known: Sequence[str], said: str) -> str:
    names = _listed(said) or [""]
    return next((wrong for name in names if (wrong := _no_choice(name, known))), "")


def _text(file: str, words: Mapping[str, Any], marketing: bool) -> str:
    """A first text that says who writes and how many bonuses there are; marketing with its way out."""
    if file.startswith("email."):
        return _email(words, marketing)
    if file == "push.txt":
        return f'---\ntitle: "{{{{ program.name }}}}"\n---\n{words["body"]}\n'
    way_out = f" {words['opt_out']} {{{{ links.preferences }}}}" if marketing and file == "sms.txt" else ""
    return f"{words['body']}{way_out}\n"


def _email(words: Mapping[str, Any], marketing: bool) -> str:
    way_out = f'<a href="{{{{ links.unsubscribe }}}}">{words["unsubscribe"]}</a>'
    paragraphs = [words["hello"], words["body"], *([way_out] if marketing else [])]
    texts = "\n".join(f"        <mj-text>{each}</mj-text>" for each in paragraphs)
    return (
        f'---\nsubject: "{words["subject"]}"\n---\n<mjml>\n  <mj-body>\n    <mj-section>\n      <mj-column>\n'
        f"{texts}\n      </mj-column>\n    </mj-section>\n  </mj-body>\n</mjml>\n"
    )
