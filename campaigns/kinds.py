"""The kinds of findings of `tidings check`: stable names, for code review and for looking them up.

`docs/checking.md` shows each with an example. A finding says its kind where it is made; one of a general
nature is known by its opening words, which are the same throughout.
"""

from dataclasses import dataclass, replace
from typing import Literal

from core.errors import Problem

WRONG_VALUE = "wrong-value"


@dataclass(frozen=True, slots=True)
class Kind:
    """What is found, in one sentence, what to do about it, and how bad it usually is."""

    id: str
    about: str
    help: str
    severity: Literal["error", "warning"] = "error"


_ALL = (
    Kind("unreadable-file", "A file that is not YAML or not UTF-8.",
         "Mind indentation, brackets and quotes; save as UTF-8."),
    Kind("unknown-key", "A key that nothing reads.", "Write the key that the message names, or remove it."),
    Kind("duplicate-key", "The same key twice in one mapping.", "Keep one of them."),
    Kind("missing-key", "A key that must be there is not.", "Add it; the message shows an example."),
    Kind(WRONG_VALUE, "A value that does not fit its key.", "Write a value such as the message shows."),
    Kind("unknown-name", "A name that nothing in the workspace has.", "Correct it, or add what it names."),
    Kind("file-name", "A file that would not be read by its name or its place.", "Rename it, or move it."),
    Kind("unread-file", "A file under messages/ that nothing reads.", "Rename it, or remove it.", "warning"),
    Kind("missing-file", "A picture that is not there.", "Add the file, or correct its path."),
    Kind("segment-circle", "Segments that use each other in a circle.", "Break the circle."),
    Kind("contradictory-audience", "Conditions that nobody can fulfil at once.", "Remove one of them."),
    Kind("schedule-missing", "A state trigger without a schedule.", "Say when to look."),
    Kind("schedule-not-needed", "A schedule where the trigger has its own times.", "Remove it."),
    Kind("formerly-conflict", "Two scenarios claim the same past.", "Let one of them follow it."),
    Kind("duplicate-step", "Two steps with one id.", "Give each its own."),
    Kind("wait-on-first-step", "The first step goes out at once.", "Put the wait on a later step."),
    Kind("nothing-to-say", "A step without a message, or with two ways of saying it.", "Leave one."),
    Kind("weightless-variant", "A variant that nobody gets.", "Give it a weight, or remove it."),
    Kind("duplicate-channel", "A channel twice in one cascade.", "Remove one."),
    Kind("channel-not-set-up", "A channel that program.yaml does not set up.", "Add it to `channels`."),
    Kind("missing-text", "A message without a text for a channel of its step.", "Add the file."),
    Kind("unreachable-step", "A step that can never go out.", "Change its conditions, or remove it."),
    Kind("late-fallback", "A fallback that would come when the message has expired.",
         "Shorten the time.", "warning"),
    Kind("step-after-goal", "A step after the time in which the goal counts.",
         "Let the goal last longer.", "warning"),
    Kind("more-than-limits", "A scenario that can write more often than its limits let through.",
         "Raise the limit, or send less.", "warning"),
    Kind("always-dropped", "Messages that quiet hours hold until they have expired.",
         "Look at another time, or let messages be valid for longer.", "warning"),
    Kind("campaign-over", "A campaign whose time has passed.", "Write a later time.", "warning"),
    Kind("no-effect", "Something that changes nothing here.", "Remove it.", "warning"),
    Kind("not-tracked", "An audience asks for opens or clicks that the program does not track.",
         "Switch tracking on.", "warning"),
    Kind("kept-too-short", "A time is asked about for which `retention` does not keep what is asked.",
         "Keep it for longer, or ask for less.", "warning"),
    Kind("nobody-left", "A holdout that leaves nobody to write to.", "Lower it.", "warning"),
    Kind("template-syntax", "A template that cannot be read.", "Correct it at this place."),
    Kind("unknown-template-name", "A template uses a name that there is not.", "Write a name it may use."),
    Kind("not-provided", "A template uses a fact that its trigger does not provide.",
         "Use one that it provides."),
    Kind("unknown-filter", "A filter or a test that there is not.", "Write the one that was meant."),
    Kind("wrong-filter", "A filter that cannot write the value before it.",
         "Use the filter that the message names."),
    Kind("not-a-value", "A name of several values, where one of them is needed.",
         "Name the one that is meant."),
    Kind("unlike-values", "A value that is compared with, or added to, what it is not.",
         "Compare amounts with numbers and names with texts; write texts outside of the braces."),
    Kind("foreign-placeholder", "A placeholder of another tool, which would be sent as it stands.",
         "Write it as Jinja does.", "warning"),
    Kind("missing-part", "A part that no file of messages/_parts/ holds.", "Add it, or correct its path."),
    Kind("missing-locale", "A text that is not there in one of the program's languages.",
         "Translate it.", "warning"),
    Kind("no-unsubscribe", "A marketing email without a way to unsubscribe.",
         "Add a link to `{{ links.unsubscribe }}`."),
    Kind("empty-text", "A text that comes out empty for some customers.",
         "Write `{% else %}` and another text.", "warning"),
    Kind("unknown-attribute", "An attribute that MJML does not know, and leaves out.",
         "Write the one that was meant, or remove it.", "warning"),
    Kind("broken-link", "A link in an email that has no scheme, and so leads nowhere.",
         "Write all of it, from https:// on.", "warning"),
    Kind("unseen-picture", "A picture in an email that nobody would see.",
         "Put it beside the message with `images: inline`, or write all of its address.", "warning"),
    Kind("sms-too-long", "An SMS of more segments than allowed, reckoned with the longest facts.",
         "Shorten it, or allow more."),
    Kind("sms-without-tariff", "SMS are sent, and what they cost is not known.",
         "Write a tariff.", "warning"),
    Kind("no-card", "A scenario puts messages on the wallet card, and there is no card.", "Write the card."),
    Kind("card-message-too-long",
         "A message on the card of which a lock screen shows the beginning only, or that no card takes.",
         "Say the thing first, in four short lines.", "warning"),
    Kind("card-refused", "Something on the card that Apple or Google refuses.",
         "Write it as the message says."),
    Kind("card-cut-off", "A text on the card of which a phone shows only a part.",
         "Shorten it, or move it to the back.", "warning"),
    Kind("card-not-everywhere", "Something on the card that not every phone, watch or reader shows or takes.",
         "Choose another, or accept it.", "warning"),
    Kind("card-picture", "A picture of the card that is not sharp, or loses much at its edges.",
         "Save it larger, or in another shape.", "warning"),
    Kind("card-contrast", "Colours of the card that are hard to tell apart.",
         "Choose a lighter and a darker one.", "warning"),
    Kind("card-expired", "The last day of every card is over.",
         "Write a later day, or a template of one.", "warning"),
    Kind("certificate", "The certificate that signs passes cannot be used, or ends within 30 days.",
         "Give the right one, or renew it in time."),
    Kind("unused-message", "A message that no scenario sends.", "Use it, or remove its folder.", "warning"),
    Kind("unused-segment", "A segment that nothing uses.", "Use it, or remove the file.", "warning"),
    Kind("untested-rule", "A rule of earning that no test names.", "Write a test of it.", "warning"),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.id: kind for kind in _ALL}

# The words with which findings of a general nature begin.
_OPENINGS = (
    *(
        (f"no such {noun}", "unknown-key")
        for noun in ("key", "field", "operator", "parameter", "part", "setting")
    ),
    ("no such choice", WRONG_VALUE),
    ("no such outcome", WRONG_VALUE),
    ("no such ", "unknown-name"),
    ("is missing", "missing-key"),
    ("a segment cannot contain itself", "segment-circle"),
    ("segments contain each other", "segment-circle"),
    ("no test names the rule", "untested-rule"),
    ("is a second card", "unread-file"),
    ("is not UTF-8", "unreadable-file"),
    ("front matter has no key", "unknown-key"),
    ("there is no part", "missing-part"),
)


def kind_of(problem: Problem) -> Kind:
    """The kind of a finding."""
    if problem.kind:
        return KINDS[problem.kind]
    found = (kind for words, kind in _OPENINGS if problem.what.startswith(words))
    in_template = problem.file.startswith("messages/")
    return KINDS[next(found, "template-syntax" if in_template else WRONG_VALUE)]


def of_kind(problem: Problem, kind: str) -> Problem:
    """The same finding, said to be of a kind."""
    return replace(problem, kind=kind)
