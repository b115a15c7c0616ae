"""What a file of each kind holds: from this table files are read, and the page about them is made."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from core.explain import nearest, suggest

# A customer's own further facts: `attributes.vip`, `attributes.shoe_size`.
ATTRIBUTE = "attributes."


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a file; `form` says how a value is written."""

    name: str
    form: str
    example: str
    required: bool = False


LINE = "text in one line: tabs and line ends become spaces, control characters are taken out"
TEXT, TIME, AMOUNT = "text", "time", "money, in whole units"

CUSTOMERS = (
    Column(
        "customer", "text, 1 to 200 characters: the number the shop knows the customer by", "K-1001", True
    ),
    Column("card", "text: the number on the card", "4820001001"),
    Column("name", LINE, "Олена Коваль"),
    Column("phone", "phone in international form", "+380501234567"),
    Column("email", "email address", "olena@example.com"),
    Column("birthday", "date", "1990-03-15"),
    Column("gender", "female, male or other", "female"),
    Column("city", LINE, "Львів"),
    Column("locale", "locale", "uk"),
    Column("time_zone", "time zone of the IANA database", "Europe/Kyiv"),
    Column(
        "registered_at", f"{TIME} of joining; the time of the import if left out", "2024-05-01T12:30:00+03:00"
    ),
    Column("referred_by", "text: who brought the customer, by their number, card or referral code", "K-1000"),
    Column(
        "attributes.<name>",
        "anything else that is known of the customer: text, a number, yes or no, or a list",
        "latte",
    ),
)
RECEIPTS = (
    Column("receipt", "text: the receipt's number, unique in the program", "R-77-0001", True),
    Column("customer", "text: the number of a customer who is registered", "K-1001", True),
    Column("at", f"{TIME} of the purchase", "2026-03-01T10:15:00+02:00", True),
    Column("store", "text: the code of the shop", "lviv-1"),
    Column("sku", "text: the code of the goods", "espresso-250", True),
    Column("quantity", "number, up to 3 decimals; 1 if left out", "1"),
    Column("total", f"{AMOUNT}: what the line cost after discounts", "249.90", True),
    Column("pay_points", "bonuses, in whole units: what of the receipt was paid with them", "50"),
    Column("category", "text: the category of the goods", "coffee"),
    Column("brand", "text: the brand of the goods", "Kavarnia"),
    Column("product", "text: the name of the goods", "Espresso, 250 g"),
)
PRODUCTS = (
    Column("sku", "text: the code of the goods", "espresso-250", True),
    Column("name", TEXT, "Espresso, 250 g"),
    Column("category", TEXT, "coffee"),
    Column("brand", TEXT, "Kavarnia"),
)
STORES = (
    Column("code", "text: the code of the shop", "lviv-1", True),
    Column("name", TEXT, "Kavarnia on Rynok Square"),
    Column("city", TEXT, "Львів"),
    Column("latitude", "degrees, -90 to 90", "49.8419"),
    Column("longitude", "degrees, -180 to 180", "24.0315"),
)
CONSENTS = (
    Column("customer", "text: the number of a customer who is registered", "K-1001", True),
    Column("channel", "the name of a channel of program.yaml", "sms", True),
    Column("granted", "yes or no", "yes", True),
    Column("at", f"{TIME} of the customer's choice", "2025-11-20T09:00:00+02:00", True),
    Column("source", "text: where the customer said so; import if left out", "registration form"),
    Column("purpose", "marketing, or a purpose of program.yaml; marketing if left out", "marketing"),
    Column("wording", "text: the version of the words that were shown", "2026-03"),
    Column("form", "text: the form or page, by its name", "registration form, shop 3"),
    Column("url", "text: the address of the page", "https://kavarnia.example/join"),
    Column("language", "locale: the language of the words", "uk"),
    Column("text", "text: the words that were shown, or what the customer wrote", "I agree to be written to"),
    Column("ip", "text: the IP address; leave it out unless you must keep it", "192.0.2.7"),
    Column("user_agent", "text: the browser or app", "Firefox 140"),
    Column(
        "confirmed_at", f"{TIME} of confirming by a letter, in the system before", "2025-11-20T09:20:00+02:00"
    ),
)
SUPPRESSIONS = (
    Column("channel", "the name of a channel that writes to emails or phones", "email", True),
    Column("address", "email address, or phone in international form", "olena@example.com", True),
    Column("reason", "bounced, complained, unsubscribed, stop; imported if left out", "complained"),
    Column("at", f"{TIME} from which it was left alone; that of the import if left out",
           "2025-11-20T09:00:00+02:00"),
)  # fmt: skip
KINDS = {
    "customers": CUSTOMERS,
    "receipts": RECEIPTS,
    "products": PRODUCTS,
    "stores": STORES,
    "consents": CONSENTS,
    "suppressions": SUPPRESSIONS,
}


def table(kind: str) -> str:
    """The columns of a kind as a table in Markdown, for docs/import.md."""
    lines = ["| column | required | holds | example |", "|---|---|---|---|"]
    for it in KINDS[kind]:
        required = "yes" if it.required else ""
        lines.append(f"| `{it.name}` | {required} | {it.form} | `{it.example}` |")
    return "\n".join(lines)


def known(columns: Iterable[Column], name: str) -> bool:
    """Whether a file of these columns may have a column of this name."""
    names = {column.name for column in columns}
    if name.startswith(ATTRIBUTE):
        return f"{ATTRIBUTE}<name>" in names and len(name) > len(ATTRIBUTE)
    return name in names


def fault(columns: Iterable[Column], found: Iterable[str], noun: str = "column") -> str:
    """What is wrong with the names that stand in a file, and what to write; '' for nothing."""
    columns, found = list(columns), list(found)
    unknown = [name for name in found if not known(columns, name)]
    for column in columns:
        if column.required and column.name not in found:
            return f"has no {noun} '{column.name}'; {_how_to_have(column, unknown)}"
    if "" in unknown:
        place = found.index("") + 1
        return f"has a {noun} without a name (number {place}); name it, or take it out"
    if unknown:
        absent = [column.name for column in columns if column.name not in found]
        hint = _elsewhere(unknown[0], columns) or suggest(unknown[0], absent)
        return f"has a {noun} '{unknown[0]}' that is not known; {hint}"
    twice = sorted(name for name, times in Counter(found).items() if times > 1)
    return f"has the {noun} '{twice[0]}' twice" if twice else ""


def _how_to_have(column: Column, unknown: list[str]) -> str:
    if alike := nearest(column.name, unknown):
        return f"the nearest is '{alike}': rename it"
    return f"{'rename what holds it, or add it' if unknown else 'add it'} ({column.form})"


def _elsewhere(name: str, columns: list[Column]) -> str:
    """`consent_email` among customers: what has a file of its own."""
    others = (it for it, theirs in KINDS.items() if [*theirs] != columns)
    kind = next((it for it in others if name.lower().startswith(it[:-1])), None)
    return f"{kind} are a file of their own: tidings import {kind}" if kind else ""
