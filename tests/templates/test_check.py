"""What is wrong with a message is found before it is sent, and shown where it is mended."""

import pytest

from core.errors import Problem
from templates.check import check, layout, missing_locales, point_names
from templates.context import NAMES
from templates.fitting import TYPES
from templates.library import Library
from templates.reckoning import longest, too_long
from tests.templates.support import Context, MakeLibrary

FACTS = ("expiring", "expires_on", "days_left")
MESSAGE = "bonus-expiring"
BRACKETS = (
    "the filter 'points' writes as the language does, and takes nothing in brackets; "
    "write {{ balance | points }}"
)
OK_EMAIL = "---\nsubject: x\n---\n<a href='{{ links.unsubscribe }}'>x</a>"


def found(texts: Library, **options: str) -> list[str]:
    names = {**NAMES, "trigger": FACTS}
    types = {**TYPES, "trigger.expiring": "points", "trigger.expires_on": "date"}
    return [
        str(problem) for problem in check(texts, MESSAGE, names, "bonus_expiring", types=types, **options)
    ]


def sms(library: MakeLibrary, text: str) -> list[str]:
    return found(library({f"{MESSAGE}/sms.txt": text}))


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("\n {{ custmer.name }}", "2:5: 'custmer' is not known here; did you mean 'customer'?"),
        (
            "{{ zzz }}",
            "1:4: 'zzz' is not known here; it may use balance, customer, expiring, links, ",
        ),
        ("{{ customer.frist_name }}", "1:4: 'customer.frist_name' is not known; did you mean"),
        ("{{ customer['nme'] }}", "1:1: 'customer.nme' is not known; did you mean 'customer.name'?"),
        ("{{ balance.amount }}", "1:4: 'balance' is a plain value and has no 'amount'; write balance"),
        ("{{ balance | pionts }}", "1:14: no filter 'pionts'; did you mean 'points'?"),
        ("{% if balance is defned %}{% endif %}", "1:18: no test 'defned'; did you mean 'defined'?"),
        ("x\n{{ balance", "2:1: '{{' is not closed; write }}"),
        ("a {{ balance }} b\n{% if balance", "2:1: '{%' is not closed; write %}"),
        ("a {# b", "1:3: '{#' is not closed; write #}"),
        ("{% raw %}{{ x }}", "1:1: '{% raw' is not closed; write {% endraw %}"),
        ("x {{ «balance» }}", "1:6: '«' cannot stand in a tag; write plain quotes: \"…\""),
        ("x\r\n{{ $balance }}", "2:4: '$' cannot stand in a tag; remove it"),
        ('{{ "balance }}', "1:4: a quote that is never closed; close it"),
        ("x\n{{ 'balance }}", "2:4: a quote that is never closed; close it"),
        ("x {{ \u200bbalance }}", "1:6: 'zero width space' cannot stand in a tag; remove it"),
        ("{{ 1 \\ 2 }}", "1:6: '\\' cannot stand in a tag; remove it"),
        ("x\n{{", "2:1: '{{' is not closed; write }}"),
        ("{% if", "1:1: '{%' is not closed; write %}"),
        ("{{ balance if }}", "1:1: a tag in which something is missing; write for example {{ balance }}"),
        ("{{ balance | }}", "1:1: a tag in which something is missing; write for example {{ balance }}"),
        ("{{ }}", "1:1: a tag in which something is missing; write for example {{ balance }}"),
        ("{{ balance }", "1:1: '}' cannot stand here; a value stands in {{ … }}, a condition in {% if … %}"),
        ("{{ balance points }}", "1:1: 'points' cannot stand here; a value stands in {{ … }}"),
        ("{% if balance = 1 %}x{% endif %}", "1:1: '=' cannot stand here; write == to compare"),
        ("{{ balance }}{% endif %}", "1:14: 'endif' without {% if … %} before it; remove it"),
        ("{% else %}", "1:1: 'else' without {% if … %} before it; remove it"),
        ("a {% end %}", "1:3: there is no tag 'end'; write {% endif %} or {% endfor %}"),
        ("{% if balance %}a{% elsif tier %}{% endif %}", "1:18: there is no tag 'elsif'; write {% elif … %}"),
        ("{% balance %}", "1:1: there is no tag 'balance'; tags are if, for, set and include; a value"),
        ("", "1:1: says nothing; write a text, or remove the file"),
        (" {# later #}\n", "1:1: says nothing; write a text, or remove the file"),
        ("x\n{% if balance %}\ny", "3:1: 'if' is not closed; write {% endif %}"),
        ("Hi\nx\0y", "2:2: has a NUL character, which cannot be kept; remove the '\\0'"),
        (r"Hi {{ 'x\x00y' }}", "1:1: has a NUL character, which cannot be kept; remove the '\\0'"),
        (r"Hi {{ '\ud83d' }}", "1:1: has half a character, which cannot be kept; write the whole one"),
        ("{% include '_parts/no.txt' %}", "1:13: there is no part '_parts/no.txt'; parts stand in"),
    ],
)  # fmt: skip
def test_a_wrong_name_is_shown_at_its_place(library: MakeLibrary, text: str, problem: str) -> None:
    [got] = sms(library, text)
    assert got.startswith(f"messages/{MESSAGE}/sms.txt:{problem}")


@pytest.mark.parametrize(
    "text",
    [
        "{{ trigger.expiring | points }} {{ trigger.expires_on.year }}",
        "{{ customer.attributes.pet | default('-') }} {{ 'trigger.nothing' }} {# {{ nothing }} #}",
        "{% set x = 1 %}{{ x }}{% for i in range(3) %}{{ i }}{{ loop.index }}{% endfor %}",
        "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(1) }}",
        "{% raw %}{{ nothing }}{% endraw %}",
        "{% include '_parts/no.txt' ignore missing %}",
    ],
)
def test_what_is_right_is_not_complained_of(library: MakeLibrary, text: str) -> None:
    assert sms(library, text) == []


@pytest.mark.parametrize(
    ("text", "what", "writes"),
    [
        ("{{ balance | day }}", "1:4: 'balance' is an amount of bonuses, and the filter 'day' needs a day",
         "balance | points"),
        ("x\n{{ trigger.expires_on|points }}",
         "2:4: 'trigger.expires_on' is a day, and the filter 'points' needs a number",
         "trigger.expires_on | day"),
        ("{{ customer.name | money }}", "1:4: 'customer.name' is text, and the filter 'money' needs a number",
         "customer.name"),
        ("{{ customer.birthday | time }}",
         "1:4: 'customer.birthday' is a day, and the filter 'time' needs a time of the day",
         "customer.birthday | day"),
        ("{% if tier.until | number > 3 %}x{% endif %}",
         "1:7: 'tier.until' is a day, and the filter 'number' needs a number", "tier.until | day"),
        ("{{ (balance) | date }}",
         "1:1: 'balance' is an amount of bonuses, and the filter 'date' needs a day", "balance | points"),
    ],
)  # fmt: skip
def test_a_filter_fits_what_it_writes(library: MakeLibrary, text: str, what: str, writes: str) -> None:
    assert sms(library, text) == [f"messages/{MESSAGE}/sms.txt:{what}; write {{{{ {writes} }}}}"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("{name}", "customer.name"), ("{ customer.first_name }", "customer.first_name"),
        ("${balance}", "balance"), ("%expires_on%", "trigger.expires_on"),
        ("*|FNAME|*", "customer.first_name"),
    ],
)  # fmt: skip
def test_a_placeholder_of_another_tool_is_told(library: MakeLibrary, written: str, meant: str) -> None:
    assert sms(library, f"Hi\n{{# x #}}{written}") == [
        f"messages/{MESSAGE}/sms.txt:2:8: '{written}' is sent as it stands; write {{{{ {meant} }}}}"
    ]


@pytest.mark.parametrize(
    "text", ["50% off, 20% more", "{ color: red }", "a {thing} %b% {}", "*|MC:SUBJECT|*", "{{ '%name%' }}"]
)
def test_braces_and_percents_of_which_nobody_knows_are_let_be(library: MakeLibrary, text: str) -> None:
    assert sms(library, text) == []


@pytest.mark.parametrize(
    ("text", "place", "part"),
    [
        ("{% if tier == 'gold' %}x{% endif %}", "1:7: 'tier'", "tier.name"),
        ("{{ customer | upper }}", "1:4: 'customer'", "customer.name"),
        ("{% if not expiring %}x{% endif %}", "1:11: 'expiring'", "expiring.amount"),
        ("{{ tier.name }} {{ 'x' if trigger else 'y' }}", "1:27: 'trigger'", "trigger.expiring"),
    ],
)
def test_of_several_values_one_is_named(library: MakeLibrary, text: str, place: str, part: str) -> None:
    said = "is several values at once; name the one that is meant, for example"
    assert sms(library, text) == [f"messages/{MESSAGE}/sms.txt:{place} {said} {part}"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{% if balance > '500' %}x{% endif %}",
         ("1:7: 'balance' is an amount of bonuses, and the text '500' stands behind '>'; "
          "write 500 without quotes")),
        ("{{ balance }} {{ balance + ' bonuses' }}",
         ("1:18: 'balance' is an amount of bonuses, and the text ' bonuses' stands behind '+'; "
          "write {{ balance | points }} by itself, beside what belongs to it")),
        ("x\n{{ 'Until ' + trigger.expires_on }}",
         ("2:1: 'trigger.expires_on' is a day, and the text 'Until ' stands before '+'; "
          "write {{ trigger.expires_on | day }} by itself, beside what belongs to it")),
        ("{% if tier.have == '1' %}x{% endif %}",
         "1:7: 'tier.have' is a number, and the text '1' stands behind '=='; write 1 without quotes"),
        ("{% if balance | points > 5 %}x{% endif %}",
         "1:7: 'balance | points' is text, and the number 5 stands behind '>'; compare balance itself"),
        ("{% if tier.name == 5 %}x{% endif %}",
         "1:7: 'tier.name' is text, and the number 5 stands behind '=='; write '5' in quotes"),
        ("{% if customer.birthday != '' %}x{% endif %}",
         ("1:7: 'customer.birthday' is a day, and the text '' stands behind '!='; "
          "ask {% if customer.birthday %} whether there is one")),
        ("{% if 5 < balance < tier.name %}x{% endif %}",
         ("1:11: 'balance' is an amount of bonuses, and 'tier.name', text, stands behind '<'; "
          "compare it with what is of its kind")),
    ],
)  # fmt: skip
def test_a_value_is_compared_with_and_added_to_its_like(library: MakeLibrary, text: str, said: str) -> None:
    assert sms(library, text) == [f"messages/{MESSAGE}/sms.txt:{said}"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ balance + 5 }} {{ balance - tier.missing }} {{ 'x' + (balance | points) }}",
        "{% if tier.have == 1 and tier.name == 'gold' and customer.name | length > 5 %}x{% endif %}",
        "{% if customer.attributes.age > 5 or customer.attributes.age == '5' %}x{% endif %}",
        "{% set balance = 'x' %}{{ balance + 'y' }}",
        "{% if trigger.expires_on > customer.birthday or customer.gender == none %}x{% endif %}",
    ],
)
def test_what_is_alike_or_not_known_is_let_be(library: MakeLibrary, text: str) -> None:
    assert sms(library, text) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{{ customer.name.first }}", "'customer.name' is text and has no 'first'; write customer.name"),
        ("{{ balance | points(2) }}", BRACKETS),
        ("{{ customer.name.upper }}",
         "'customer.name.upper' does nothing by itself; write customer.name | upper"),
        ("{{ tier.missing.sqrt }} {{ customer.name.split() | first }}",
         "'tier.missing.sqrt' does nothing by itself; write tier.missing"),
        ("{{ customer.balance }}", "'customer.balance' is not known; did you mean 'balance'?"),
        ("{{ points }}", "'points' is not known here; did you mean 'balance'?"),
        ("{{ first_name }}", "'first_name' is not known here; did you mean 'customer.first_name'?"),
        ("{{ expires_on }}", "'expires_on' is not known here; did you mean 'trigger.expires_on'?"),
    ],
)  # fmt: skip
def test_what_one_would_write_elsewhere_is_answered(library: MakeLibrary, text: str, problem: str) -> None:
    assert sms(library, text) == [f"messages/{MESSAGE}/sms.txt:1:4: {problem}"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ balance | points }} {{ balance | money }} {{ balance | number }} {{ tier.earn | percent }}",
        "{{ trigger.expires_on | day }} {{ customer.birthday | date }} {{ customer.registered_at | time }}",
        "{{ customer.registered_at | day }} {{ customer.name | upper }}",
        "{{ customer.attributes.cups | points }}",
        "{% set balance = trigger.expires_on %}{{ balance | day }}",
        "{% for tier in [1, 2] %}{{ tier | number }}{% endfor %}",
        "{% set whom = customer %}{{ whom.name }} {{ customer['name'] }} {{ customer.attributes }}",
        "{% if tier.name == 'gold' and expiring.amount %}{{ customer.name.upper() }}{% endif %}",
        "{{ trigger.expires_on.year }} {{ customer.attributes.cups.size }} {{ balance | default(0) }}",
    ],
)
def test_a_filter_that_fits_or_of_which_nothing_is_known_is_let_be(library: MakeLibrary, text: str) -> None:
    assert sms(library, text) == []


def test_a_fact_the_trigger_does_not_provide_is_named_with_those_it_does(library: MakeLibrary) -> None:
    assert sms(library, "Згорає ще {{ trigger.expire_on | day }}") == [
        (
            "messages/bonus-expiring/sms.txt:1:14: 'trigger.expire_on' is not provided by bonus_expiring; "
            "it provides expiring, expires_on, days_left"
        )
    ]


def test_a_folder_that_is_no_language_is_told_and_not_read(library: MakeLibrary) -> None:
    texts = library({f"{MESSAGE}/sms.txt": "x", f"{MESSAGE}/ua/sms.txt": "{{ nobody }}"})
    assert found(texts) == []
    [told] = [str(problem) for problem in layout(texts)]
    assert f"messages/{MESSAGE}/ua/sms.txt: the program has no locale 'ua'" in told


def test_every_place_in_every_language_is_listed_at_once(library: MakeLibrary) -> None:
    files = {
        f"{MESSAGE}/uk/sms.txt": "{{ nam }} {{ nam }}",
        f"{MESSAGE}/en/push.txt": "---\ntitle: 'Hi {{ trigger.x }}'\n---\n{{ y }}",
    }
    assert [line.split(": ")[0] for line in found(library(files))] == [
        f"messages/{MESSAGE}/en/push.txt:2:15",
        f"messages/{MESSAGE}/en/push.txt:4:4",
        f"messages/{MESSAGE}/uk/sms.txt:1:4",
        f"messages/{MESSAGE}/uk/sms.txt:1:14",
    ]


def test_a_mistake_in_a_part_is_shown_in_the_part(library: MakeLibrary) -> None:
    include = "{% set mine = 1 %}<mj-include path='_parts/foot.mjml'/>"
    page = f"---\nsubject: x\n---\n<mjml><mj-body>\n{include}\n{{{{ oops }}}}</mj-body></mjml>"
    files = {
        f"{MESSAGE}/email.mjml": page,
        "_parts/foot.mjml": "<mj-section>\n {{ mine }} {{ links.unsubscribe }} {{ wrong }}</mj-section>",
    }
    assert [line.split(": ")[0] for line in found(library(files))] == [
        "messages/_parts/foot.mjml:2:40",
        f"messages/{MESSAGE}/email.mjml:6:4",
    ]


def test_an_included_part_is_checked_with_the_names_of_its_page(library: MakeLibrary) -> None:
    files = {
        f"{MESSAGE}/sms.txt": "{% set mine = 1 %}{% include '_parts/p.txt' %}",
        "_parts/p.txt": "{{ mine }} {{ wrong }}",
    }
    [problem] = found(library(files))
    assert problem.startswith("messages/_parts/p.txt:1:15: 'wrong' is not known here")


def test_a_subject_that_no_channel_could_send_is_told(library: MakeLibrary) -> None:
    subject = OK_EMAIL.replace("subject: ", r'subject: "\0" # ', 1)
    [problem] = found(library({f"{MESSAGE}/email.html": subject}))
    assert problem.startswith(f"messages/{MESSAGE}/email.html:2:10: has a NUL character, which cannot")


INCLUDES = "{% include '_parts/PART.txt' %}"


@pytest.mark.parametrize(
    ("files", "place", "circle"),
    [
        ({"_parts/a.txt": "Hi\n{% include '_parts/a.txt' %}"}, "_parts/a.txt:2:13", ["_parts/a.txt"]),
        ({"_parts/a.txt": "{% extends '_parts/b.txt' %}", "_parts/b.txt": "{% include '_parts/a.txt' %}"},
         "_parts/b.txt:1:13", ["_parts/a.txt", "_parts/b.txt"]),
        ({"_parts/a.txt": "{% import '_parts/b.txt' as b %}", "_parts/b.txt": "{% include '_parts/c.txt' %}",
          "_parts/c.txt": "{% from '_parts/b.txt' import x %}"},
         "_parts/c.txt:1:10", ["_parts/b.txt", "_parts/c.txt"]),
    ],
)  # fmt: skip
def test_files_that_bring_in_each_other_are_told_wherever_the_circle_is_entered(
    library: MakeLibrary, files: dict[str, str], place: str, circle: list[str]
) -> None:
    for entry in [INCLUDES.replace("PART", name) for name in "ab" if f"_parts/{name}.txt" in files]:
        way = " → ".join(f"messages/{file}" for file in (*circle, circle[0]))
        assert found(library({f"{MESSAGE}/sms.txt": f"Hello! {entry}", **files})) == [
            f"messages/{place}: a file brings in itself: {way}; leave one of the includes out"
        ]


def test_a_message_that_includes_itself_is_told(library: MakeLibrary) -> None:
    own = f"messages/{MESSAGE}/sms.txt"
    assert sms(library, f"Hello! {{% include '{MESSAGE}/sms.txt' %}}") == [
        f"{own}:1:20: a file brings in itself: {own} → {own}; leave one of the includes out"
    ]


def test_a_part_may_be_brought_in_twice(library: MakeLibrary) -> None:
    a, b, c = (INCLUDES.replace("PART", name) for name in "abc")
    files = {f"{MESSAGE}/sms.txt": a + b, "_parts/a.txt": f"Hi {c}", "_parts/b.txt": c, "_parts/c.txt": "!"}
    assert found(library(files)) == []


def test_a_marketing_email_offers_a_way_out(library: MakeLibrary) -> None:
    texts = library({f"{MESSAGE}/email.html": OK_EMAIL.replace("unsubscribe", "preferences")})
    assert found(texts) == [
        (
            "messages/bonus-expiring/email.html:1:1: a marketing email without a way to unsubscribe; "
            "add a link to {{ links.unsubscribe }}"
        )
    ]
    assert found(texts, purpose="service") == []
    assert found(library({f"{MESSAGE}/email.html": OK_EMAIL})) == []


def test_a_misspelt_message_gets_the_nearest_name(library: MakeLibrary) -> None:
    texts = library({"bonus-expired/sms.txt": "x"})
    assert found(texts) == [
        f"messages/{MESSAGE}/: there is no message '{MESSAGE}'; did you mean 'bonus-expired'?"
    ]


def test_a_missing_language_is_a_warning(library: MakeLibrary) -> None:
    texts = library(
        {f"{MESSAGE}/uk/sms.txt": "x", f"{MESSAGE}/en/sms.txt": "x", f"{MESSAGE}/en/push.txt": "x"}
    )
    problems = missing_locales(texts, MESSAGE)
    assert {problem.severity for problem in problems} == {"warning"}
    assert [str(problem) for problem in problems] == [
        f"messages/{MESSAGE}/uk/push.txt: there is no push text in 'uk'; 'en' will be sent instead",
        f"messages/{MESSAGE}/ru/push.txt: there is no push text in 'ru'; 'en' will be sent instead",
        f"messages/{MESSAGE}/ru/sms.txt: there is no sms text in 'ru'; 'uk' will be sent instead",
    ]


def test_a_text_in_none_of_the_languages_is_sent_to_nobody(library: MakeLibrary) -> None:
    texts = library({f"{MESSAGE}/uk/sms.txt": "x", f"{MESSAGE}/ua/push.txt": "x"})
    said = [str(problem) for problem in missing_locales(texts, MESSAGE) if "push" in problem.what]
    what = "there is no push text in '{0}'; write it: nobody gets one"
    assert said == [
        f"messages/{MESSAGE}/{locale}/push.txt: {what.format(locale)}" for locale in ("uk", "en", "ru")
    ]


def test_files_that_nothing_reads_are_named(library: MakeLibrary) -> None:
    files = ["_parts/x.mjml", "m/uk/sms.txt", "m/sms.txt", "a/uk/emial.mjml", "a/pl/sms.txt", "notes.txt"]
    assert [str(problem) for problem in layout(library(dict.fromkeys(files, "x")))] == [
        "messages/a/pl/sms.txt: the program has no locale 'pl'; its locales are uk, en, ru",
        "messages/a/uk/emial.mjml: nothing reads a file named 'emial.mjml'; did you mean 'email.mjml'?",
        (
            "messages/m/sms.txt: nothing reads this file: messages/m/uk/sms.txt stands before it; "
            "leave one of them"
        ),
        (
            "messages/notes.txt: nothing reads this file; "
            "a text stands at messages/<name>/<locale>/<channel file>"
        ),
    ]


def test_the_points_name_has_every_plural_form() -> None:
    names = {"uk": ["бонус", "бонуси"], "en": ["bonus", "bonuses"]}
    assert point_names(names, ["uk", "en", "ru", "xx"], "program.yaml") == [
        Problem(
            "program.yaml", 0, 0, "points.name.uk", "2 of 4 plural forms: бонус, бонуси",
            "write one, few, many, other in this order",
        ),
        Problem(
            "program.yaml", 0, 0, "points.name.ru", "0 of 4 plural forms: none",
            "write one, few, many, other in this order",
        ),
        Problem("program.yaml", 0, 0, "locales", "there is no locale 'xx'", "write a CLDR locale such as uk"),
    ]  # fmt: skip


def test_an_sms_that_costs_too_much_is_found(library: MakeLibrary, context: Context) -> None:
    texts = library(
        {f"{MESSAGE}/sms.txt": "{{ balance | points }} " + "я" * 130, f"{MESSAGE}/en/sms.txt": "ok"}
    )
    [problem] = too_long(texts, MESSAGE, [context], 2)
    assert (problem.file, problem.line) == ("messages/bonus-expiring/sms.txt", 1)
    assert problem.what == "needs 3 segments at worst (144 units in UCS-2, for 'б' is not in GSM-7)"
    assert problem.fix == "at most 2 are allowed: shorten it"
    assert too_long(texts, MESSAGE, [context], 3) == []


def test_an_sms_is_reckoned_with_the_branch_that_makes_it_longest(
    library: MakeLibrary, context: Context
) -> None:
    text = (
        "{% if balance > 1000000 %}"
        + "a" * 150
        + "{% else %}b{% endif %}{{ 'ccccccccccc' if 1 > 2 else '' }}"
    )
    texts = library({f"{MESSAGE}/sms.txt": text})
    assert longest(texts, MESSAGE, "uk", [context]) == "a" * 150 + "c" * 11
    [problem] = too_long(texts, MESSAGE, [context], 1)
    assert problem.what == "needs 2 segments at worst (161 units in GSM-7)"


def test_many_conditions_are_turned_one_by_one(library: MakeLibrary, context: Context) -> None:
    text = "".join(f"{{% if balance > {number} %}}{number:02}{{% endif %}}" for number in range(12))
    texts = library({f"{MESSAGE}/sms.txt": text})
    assert len(longest(texts, MESSAGE, "uk", [context])) == 24


def test_a_branch_that_the_facts_do_not_allow_is_left_out(library: MakeLibrary, context: Context) -> None:
    texts = library({f"{MESSAGE}/sms.txt": "{% if 1 > 2 %}{{ nobody.name }}{% else %}ok{% endif %}"})
    assert longest(texts, MESSAGE, "uk", [context]) == "ok"


def test_a_fault_of_the_front_matter_hides_no_wrong_name(library: MakeLibrary) -> None:
    texts = library({f"{MESSAGE}/push.txt": "---\ntitel: x\n---\n{{ trigger.x }}"})
    assert [line.split("; ")[0] for line in found(texts)] == [
        f"messages/{MESSAGE}/push.txt:2:1: front matter has no key 'titel'",
        f"messages/{MESSAGE}/push.txt:4:4: 'trigger.x' is not provided by bonus_expiring",
    ]


def test_a_page_behind_another_page_is_not_read(library: MakeLibrary) -> None:
    texts = library({
        f"{MESSAGE}/email.mjml": "", f"{MESSAGE}/email.html": OK_EMAIL, f"{MESSAGE}/email.txt": "x",
    })  # fmt: skip
    assert [str(problem) for problem in layout(texts)] == [
        (
            f"messages/{MESSAGE}/email.html: nothing reads this file: messages/{MESSAGE}/email.mjml stands "
            "before it; leave one of them"
        )
    ]


def test_front_matter_is_read_as_its_channel_will_read_it(library: MakeLibrary) -> None:
    push = (
        "---\ntitle: x\nkeep: for ever\ndata:\n  screen: card\n  from: us\ncollapse: '{{ balance }}'\n---\nHi"
    )
    texts = library(
        {f"{MESSAGE}/push.txt": push, f"{MESSAGE}/telegram.txt": "---\nlink: card\n---\n{{ balance }}"}
    )
    assert [line.split("; ")[0] for line in found(texts)] == [
        f"messages/{MESSAGE}/push.txt:3:7: 'for ever' is no time that FCM keeps a push",
        f"messages/{MESSAGE}/push.txt:6:9: 'from' in data is taken by the provider or by us",
        f"messages/{MESSAGE}/telegram.txt:2:7: 'card' is no address that Telegram opens",
    ]


def test_data_for_the_app_is_a_mapping_in_the_front_matter(library: MakeLibrary, context: Context) -> None:
    push = '---\ntitle: x\ndata:\n  screen: card\n  amount: "{{ balance | number }}"\n---\nHi'
    parts = library({f"{MESSAGE}/push.txt": push}).render(MESSAGE, "push", "uk", context).parts
    assert (parts["data.screen"], parts["data.amount"]) == ("card", "1 912")
    wrong = library({f"{MESSAGE}/push.txt": push.replace("data:", "date:")})
    assert "'date' is not a text; put it in quotes" in found(wrong)[0]
