"""What is applied as one version: program, scenarios, segments, messages and cards, and reading all of it."""

import base64
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel

from campaigns.audience import Names
from campaigns.checks import Surroundings, check_scenario, check_steps, check_together
from campaigns.checks.conditions import contradictory
from campaigns.checks.kept import check_kept
from campaigns.checks.tracked import check_tracked
from campaigns.kinds import of_kind
from campaigns.scenario import Scenario, TriggerLike, is_name, read_scenario
from campaigns.segments import NamedAudience, circles, read_segment
from campaigns.walking import files_in
from campaigns.windows import of_audience, of_program
from core.errors import Problem, Problems, UserError
from core.events import NOTED
from core.grants.acts import ACTS
from core.ledger.adjustments import KIND as ADJUSTMENT
from core.ledger.transfers import KIND as TRANSFER
from core.program import Program
from core.program.check import FILE as PROGRAM_FILE
from core.program.check import check_program
from core.purchases.closed_books import RETURNED
from core.purchases.history import PURCHASE
from core.source import Document
from core.source import load as load_document

# Where only the names of the channels are known.
_TEXT_FILES = {"email": ("email.mjml", "email.html", "email.txt")}
_BINARY = "base64:"
# How a YAML file is called elsewhere, or by an editor that hides what it puts behind the name.
_LIKE_YAML = re.compile(r"\.ya?ml(\.txt)?$", re.IGNORECASE)
FOLDERS = ("scenarios", "segments", "messages", "cards")


@dataclass(frozen=True)
class Bundle:
    """Files by workspace-relative POSIX path, as bytes; `astray` tells of what stands there and is none."""

    files: Mapping[str, bytes]
    astray: tuple[Problem, ...] = ()

    @classmethod
    def read(cls, directory: Path) -> "Bundle":
        """Read a workspace; UserError when there is none."""
        require_program(directory)
        astray: list[Problem] = []
        files = {PROGRAM_FILE: (directory / PROGRAM_FILE).read_bytes()}
        for folder in FOLDERS:
            files |= {name: path.read_bytes() for name, path in files_in(directory, folder, astray)}
        return cls(files, tuple(astray))

    @property
    def digest(self) -> str:
        """SHA-256, in hex, of every path and content; the same for the same files in any order."""
        digest = hashlib.sha256()
        for path, content in sorted(self.files.items()):
            name = path.encode()
            digest.update(b"%d:%s%d:" % (len(name), name, len(content)))
            digest.update(content)
        return digest.hexdigest()

    def to_json(self) -> dict[str, str]:
        """For a JSON column: text as it is, anything else as `base64:…`."""
        return {path: _to_text(content) for path, content in sorted(self.files.items())}

    @classmethod
    def from_json(cls, stored: Mapping[str, str]) -> "Bundle":
        """What `to_json` made."""
        return cls({path: _to_bytes(text) for path, text in stored.items()})

    def names_in(self, folder: str) -> dict[str, str]:
        """Name → path of the YAML files that stand directly in a folder."""
        paths = [PurePosixPath(path) for path in sorted(self.files)]
        found = [path for path in paths if path.parent == PurePosixPath(folder) and path.suffix == ".yaml"]
        return {path.stem: str(path) for path in found}

    @property
    def messages(self) -> dict[str, tuple[str, ...]]:
        """Each message's files, as paths below its folder: `sms.txt`, `uk/email.mjml`."""
        messages: dict[str, tuple[str, ...]] = {}
        for path in sorted(self.files):
            folder, _, rest = path.partition("/")
            name, slash, file = rest.partition("/")
            # Folders such as _parts hold what messages include.
            if folder == "messages" and slash and not name.startswith("_"):
                messages[name] = (*messages.get(name, ()), file)
        return messages


def require_program(directory: Path) -> None:
    """UserError for a folder that is no workspace."""
    if not (directory / PROGRAM_FILE).is_file():
        raise UserError(
            f"no {PROGRAM_FILE} in {directory}; run `tidings init {directory}` for a ready workspace, "
            "or go to the folder of yours"
        )


def _to_text(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = None
    # PostgreSQL's JSON holds no NUL, and a text that looks like ours must come back as it was.
    if text is None or "\0" in text or text.startswith(_BINARY):
        return _BINARY + base64.b64encode(content).decode()
    return text


def _to_bytes(text: str) -> bytes:
    if text.startswith(_BINARY):
        return base64.b64decode(text.removeprefix(_BINARY))
    return text.encode()


@dataclass(frozen=True)
class Loaded:
    """A bundle that fits together. `warnings` are findings that do not stop it."""

    bundle: Bundle
    program: Program
    scenarios: Mapping[str, Scenario]
    segments: Mapping[str, NamedAudience]
    warnings: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Checked:
    """What could be read of a bundle, and every finding; `program` is None when it is not right."""

    bundle: Bundle
    program: Program | None
    scenarios: Mapping[str, Scenario]
    segments: Mapping[str, NamedAudience]
    problems: tuple[Problem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The findings that stop it."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def load(bundle: Bundle, triggers: Mapping[str, TriggerLike], channels: Iterable[str]) -> Loaded:
    """Read everything; Problems with every finding of every file when there is an error.

    `channels` are names, or a mapping of names to channel classes (channels/discovery.py), whose `Config`
    then checks what program.yaml says of them.
    """
    checked = check(bundle, triggers, channels)
    if checked.errors or checked.program is None:
        raise Problems(checked.problems)
    return Loaded(bundle, checked.program, checked.scenarios, checked.segments, checked.problems)


def check(bundle: Bundle, triggers: Mapping[str, TriggerLike], channels: Iterable[str]) -> Checked:
    """Read everything and say everything that is wrong, in all files at once; see `load`."""
    return _Reading(bundle, triggers, channels).run()


def event_names(program: Program) -> list[str]:
    """What the trigger `event` may wait for: acts, what the service notes itself, the shop's own events."""
    return [*ACTS, *NOTED, *program.events]


def accrual_reasons(program: Program) -> list[str]:
    """What bonuses may be given for: a receipt, an act that a rule rewards, somebody's hand, a return."""
    return [PURCHASE, *(rule.rule for rule in program.earn.rules if rule.on), ADJUSTMENT, TRANSFER, RETURNED]


def scales(program: Program) -> dict[str, int]:
    """How many decimals amounts have: points, money, and what tiers are measured by."""
    found = {"money": program.money_scale, "points": program.points.scale}
    measured = {"spend": "money", "points": "points"}.get(program.tiers.measure, "")
    return {**found, "tiers": found.get(measured, 0)}


def _misnamed(bundle: Bundle) -> Iterator[Problem]:
    """Files that would be passed over in silence, or whose names are no names."""
    yield from bundle.astray
    for path in bundle.files:
        folder, _, rest = path.partition("/")
        if folder not in ("scenarios", "segments"):
            continue
        meant = _LIKE_YAML.sub(".yaml", path)
        if meant != path:
            yield Problem(path, 0, 0, "", "is not read", f"rename it to {meant}", kind="file-name")
        elif path.endswith(".yaml") and "/" in rest:
            fix = f"move it to {folder}/{PurePosixPath(path).name}"
            yield Problem(path, 0, 0, "", "is not read", fix, kind="file-name")
    for name, path in [*bundle.names_in("scenarios").items(), *bundle.names_in("segments").items()]:
        if not is_name(name):
            what, fix = "the file's name is its name", "rename it: letters, digits and '-'"
            yield Problem(path, 0, 0, "", what, fix, kind="file-name")


@dataclass
class _Reading:
    bundle: Bundle
    triggers: Mapping[str, TriggerLike]
    channels: Iterable[str]
    problems: list[Problem] = field(default_factory=list)

    def run(self) -> Checked:
        self.problems.extend(_misnamed(self.bundle))
        program = self._program()
        documents = self._documents("segments")
        names = Names(
            tiers=program.tier_names if program else None,
            scales=scales(program) if program else {},
            channels=self._text_files(),
            segments=self.bundle.names_in("segments"),
            scenarios=self.bundle.names_in("scenarios"),
            accounts=[account.name for account in program.accounts] if program else None,
            events=event_names(program) if program else None,
            reasons=accrual_reasons(program) if program else None,
            purchase_rules=[rule.rule for rule in program.earn.rules if rule.on is None] if program else (),
        )
        segments = {
            name: read_segment(name, document, names, self.problems) for name, document in documents.items()
        }
        self.problems.extend(of_kind(it, "segment-circle") for it in circles(segments, documents))
        known = {name: (documents[name], segment.audience) for name, segment in segments.items()}
        for name, segment in segments.items():
            self.problems.extend(contradictory(documents[name], (), segment.audience, known))
            self.problems.extend(check_tracked(segment.audience, documents[name], program))
            self.problems.extend(check_kept(of_audience(segment.audience), documents[name], program))
        around = Surroundings(self._text_files(), self.bundle.messages, program, known)
        scenarios = self._scenarios(names, around)
        return Checked(self.bundle, program, scenarios, segments, tuple(sorted(set(self.problems))))

    def _program(self) -> Program | None:
        document = self._document(PROGRAM_FILE)
        if document is None:
            return None
        before = len(self.problems)
        program = document.validate(Program, self.problems)
        if program is not None:
            program.keep(self.bundle.files[PROGRAM_FILE].decode())
            self.problems.extend(check_kept(of_program(program), document, program))
        if rest := program or document.in_part(Program):
            self.problems.extend(check_program(rest, document, self._text_files()))
        for name, config in self._configs().items():
            if ("channels", name) in document.places:
                document.validate(config, self.problems, at=("channels", name))
        broken = any(problem.severity == "error" for problem in self.problems[before:])
        return None if broken else program

    def _scenarios(self, names: Names, around: Surroundings) -> dict[str, Scenario]:
        scenarios = {}
        for name, document in self._documents("scenarios").items():
            scenario, whole = read_scenario(name, document, self.triggers, names, self.problems)
            if not whole:
                self.problems.extend(check_steps(document, around))
                self.problems.extend(check_together(scenario, document, around))
                continue
            scenarios[name] = scenario
            self.problems.extend(check_scenario(scenario, document, around))
            self.problems.extend(self._renamed(scenario, document, scenarios))
        return scenarios

    def _renamed(
        self, scenario: Scenario, document: Document, scenarios: Mapping[str, Scenario]
    ) -> Iterator[Problem]:
        if scenario.formerly is None:
            return
        if scenario.formerly in self.bundle.names_in("scenarios"):
            what = f"there still is a scenario '{scenario.formerly}'"
            fix = "remove it, or that file"
            yield document.problem(("formerly",), what, fix, kind="formerly-conflict")
        same = [it.name for it in scenarios.values() if it.formerly == scenario.formerly]
        if same[0] != scenario.name:
            what, fix = f"'{same[0]}' says so too", "let one of them follow it"
            yield document.problem(("formerly",), what, fix, kind="formerly-conflict")

    def _documents(self, folder: str) -> dict[str, Document]:
        found = {name: self._document(path) for name, path in self.bundle.names_in(folder).items()}
        return {name: document for name, document in found.items() if document is not None}

    def _document(self, path: str) -> Document | None:
        content = self.bundle.files.get(path)
        if content is None:
            self.problems.append(
                Problem(path, 0, 0, "", "is missing", "a workspace needs one", kind="unreadable-file")
            )
            return None
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            line = content.count(b"\n", 0, error.start) + 1
            what, fix = "not in UTF-8", "save the file as UTF-8"
            self.problems.append(Problem(path, line, 1, "", what, fix, kind="unreadable-file"))
            return None
        return load_document(text, path, self.problems)

    def _text_files(self) -> dict[str, tuple[str, ...]]:
        return self._of_channels("text_files", lambda name: _TEXT_FILES.get(name, (f"{name}.txt",)))

    def _configs(self) -> dict[str, type[BaseModel]]:
        configs = self._of_channels("Config", lambda _: None)
        return {name: config for name, config in configs.items() if config}

    def _of_channels(self, attribute: str, otherwise: Callable[[str], Any]) -> dict[str, Any]:
        classes = self.channels if isinstance(self.channels, Mapping) else dict.fromkeys(self.channels)
        return {name: getattr(kind, attribute, otherwise(name)) for name, kind in classes.items()}
