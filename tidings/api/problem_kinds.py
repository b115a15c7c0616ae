"""Every problem that the API answers with: what it means, and what to do.

This is the one table of them: answers, the description (OpenAPI), the pages under /problems and
docs/reference/problems.md are made from it. A new reason of the ledger needs a line here; a test asks for it.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A problem: its HTTP status, a title, what it means, what to do about it."""

    status: int
    title: str
    means: str
    do: str

    def path(self, code: str) -> str:
        """The page that explains it; the `type` of its documents (RFC 9457)."""
        return f"/problems/{code.replace('_', '-')}"


_SAME = "The request names two customers, or accounts, that are one and the same."
_TELLS = "`detail` says"

PROBLEMS: Mapping[str, Kind] = {
    # --- the request itself
    "invalid": Kind(
        422, "Some of this is wrong",
        "Parts of the request are missing, misspelt or out of range; `errors` names each field and what is "
        "wrong with it, 50 at most. Nothing was changed.",
        "Correct the named fields and send it again.",
    ),
    "unauthorized": Kind(
        401, "The key is missing or wrong",
        "The request carries no key, or one that does not exist, was revoked, or has expired.",
        "Send the header `Authorization: Bearer` with a key of `tidings keys create`.",
    ),
    "forbidden": Kind(
        403, "This key may not do that",
        f"The key is good, and its role does not include what the endpoint asks for; {_TELLS} which scope is "
        "missing.",
        "Use another key, or make one with that scope: `tidings keys create NAME --scope SCOPE`.",
    ),
    "wrong_store": Kind(
        403, "This key belongs to another store",
        "The key is bound to stores, and the request is of none of them.",
        "Send `store` as the key's own store, or make a key for the other one.",
    ),
    "not_found": Kind(
        404, "There is no such thing", "Nothing is at this address.",
        "Compare the address with the description at /api; ids stand in it percent-encoded.",
    ),
    "method_not_allowed": Kind(
        405, "This address does not take this method", "There is such an address, for another method.",
        "Look it up in the description at /api.",
    ),
    "too_large": Kind(
        413, "The request is too large", "A request may have 1 MiB at most.",
        "Send less at once; bring history in as a file with `tidings import`.",
    ),
    "wrong_cursor": Kind(
        422, "This cursor does not belong here",
        "`after` is not a cursor of this list, or it was cut short.",
        "Send `next` of the page before as it came, with the same filters, or begin anew without `after`.",
    ),
    "idempotency_conflict": Kind(
        422, "This Idempotency-Key was another request",
        "The same Idempotency-Key came with another request within the last seven days. Nothing was changed.",
        "Use a new key for each new request, and the same one only to repeat a request unchanged.",
    ),
    "idempotency_running": Kind(
        409, "The same request is still running",
        "A request with this Idempotency-Key is being worked on at this moment.",
        "Wait a second and send it again: it gets the answer of the first one.",
    ),
    "too_many_requests": Kind(
        429, "Too many requests",
        "The key asked more often than its rate allows; the headers `RateLimit-Policy` and `RateLimit` tell "
        "where it stands.",
        "Send it again after as many seconds as `Retry-After` says.",
    ),
    "refused": Kind(400, "This cannot be read", "The request cannot be understood at all.",
                    "Send it as HTTP and JSON say."),
    "internal": Kind(
        500, "Something broke", "A fault of the service; it was logged. What was begun was undone.",
        "Send the same request again later; with the same Idempotency-Key nothing happens twice.",
    ),
    "not_ready": Kind(
        503, "The service is not ready", "The database does not answer, or nothing is live yet.",
        "Send the same request again after `Retry-After` seconds.",
    ),
    "busy": Kind(
        409, "The account is changing hands",
        "Its owner joins or leaves a household at this very moment, or would leave one whose bonuses are set "
        "aside for a cart of theirs.",
        "Send the same request again; if a hold is in the way, once it is committed, cancelled or over.",
    ),
    "conflict": Kind(
        409, "The same number, other content",
        "Something else is recorded under this number. Nothing was changed.",
        "Correct the number: a new purchase, return or order needs a new one.",
    ),
    # --- customers
    "unknown_customer": Kind(
        404, "There is no such customer",
        "Nobody has this number, card, phone or email, or they were erased.",
        "Register the customer first (`POST /api/v1/customers`), or import them.",
    ),
    "ambiguous_customer": Kind(
        409, "Several customers are meant", "More than one customer has this phone or email.",
        "Ask for the card; then merge the profiles if they are one person.",
    ),
    "card_taken": Kind(
        409, "This card belongs to another customer", "A card is one customer's.",
        "Correct the card's number; if both profiles are one person, merge them.",
    ),
    "erased": Kind(
        409, "This customer was erased", "The person asked to be forgotten; their number is not used again.",
        "Register them under a new number if they join anew.",
    ),
    "no_card": Kind(
        404, "The program has no wallet card",
        "What is live has no `cards/*.yaml`, or it cannot be filled in.",
        "Write the card (`tidings check` says what is missing) and apply it.",
    ),
    "card_revoked": Kind(
        409, "The card was revoked", "The customer's pass was revoked, and is not given out by itself again.",
        "If the customer is to have a card: `POST /api/v1/customers/{id}/card/reissue`.",
    ),
    # --- what tills send
    "unknown_receipt": Kind(
        404, "There is no such receipt", "No receipt is recorded under this number.",
        "Send the receipt first; an offline till sends its receipts before its returns.",
    ),
    "unknown_line": Kind(
        422, "The receipt has no such line", "The return names a line or an article that was not bought.",
        "Name the lines as the receipt has them: numbers from 1, or the sku.",
    ),
    "unknown_product": Kind(
        422, "This product is not in the catalogue",
        "The program takes only receipts of products that it knows (`products: {unknown: refuse}`).",
        "Import the product, then send the receipt again.",
    ),
    "bad_amount": Kind(
        422, "This amount cannot be", "An amount is below zero, nothing at all, or absurdly large.",
        f"Correct it; {_TELLS} what is expected. Goods that come back are a return.",
    ),
    "wrong_currency": Kind(
        422, "The amounts are in another currency", "The program keeps its books in one currency.",
        "Convert the amounts, or leave `currency` out.",
    ),
    "in_the_future": Kind(
        422, "The time has not come yet", "The time lies more than a day ahead of the server's.",
        "Correct the clock of the till, and send the request with the right time.",
    ),
    "too_old": Kind(
        422, "The time is too long ago",
        "A receipt may come late, but not this late (`receipts: {late_at_most: …}`): most often a clock is "
        "wrong.",
        "Correct the clock; bring history in as a file with `tidings import receipts`.",
    ),
    "impossible_time": Kind(
        422, "The time cannot be meant", "The year lies outside 1970–2199.", "Correct the clock of the till.",
    ),
    "before_the_purchase": Kind(
        422, "The return is before the purchase", "Goods cannot come back before they were sold.",
        "Correct the time of the return.",
    ),
    "returned_already": Kind(
        409, "Everything came back before", "Nothing is left of this receipt that could be returned.",
        "Look at the receipt: `GET /api/v1/receipts/{id}`.",
    ),
    "more_than_bought": Kind(
        422, "More than was bought", "The return takes back more of a line than is left of it.",
        "Correct the quantity; what came back before counts.",
    ),
    # --- bonuses
    "over_the_limit": Kind(
        422, "More bonuses than allowed",
        f"The program's rules do not let so many be spent or moved here; {_TELLS} how many.",
        "Offer that many.",
    ),
    "below_the_limit": Kind(
        422, "Fewer bonuses than allowed", "The program has a smallest amount for this.", "Ask for more.",
    ),
    "insufficient_balance": Kind(
        422, "Not enough bonuses", f"Fewer bonuses are available than are asked for; {_TELLS} how many are.",
        "Offer that many. Pending bonuses and those on hold cannot be spent.",
    ),
    "unknown_account": Kind(
        422, "There is no such bonus account", "The program has no bonus account of this name.",
        f"Name one of its accounts; {_TELLS} which there are.",
    ),
    "unknown_rule": Kind(
        422, "There is no such rule", "The program has no rule of this name for this.",
        f"Name one of its rules; {_TELLS} which there are.",
    ),
    "no_author": Kind(422, "Nobody stands for it", "What no rule gives needs somebody who answers for it.",
                      "Say who asks for it in `author`."),
    "no_reason": Kind(422, "A reason is missing", "What no rule gives needs a reason.",
                      "Say why in `reason`, in a few words."),
    # --- holds, and the codes that confirm them
    "unknown_hold": Kind(404, "Nothing is on hold", "No hold was made under this number.",
                         "Make a hold first, or commit the receipt as it is."),
    "hold_expired": Kind(
        409, "The hold is over", "It ended by itself, and its bonuses were spent since then.",
        "Quote the cart again and make a new hold, under a new number.",
    ),
    "hold_cancelled": Kind(409, "The hold was cancelled", "A cancelled hold is not taken up again.",
                           "Make a new one under a new number."),
    "committed": Kind(409, "The receipt is recorded", "The hold became a receipt already.",
                      "Return the receipt instead."),
    "confirmation_required": Kind(
        422, "So many bonuses need a code", "Above an amount bonuses are spent only with a code sent by SMS.",
        "Set them aside with a hold, ask the customer for the code, and commit with it.",
    ),
    "no_code_needed": Kind(422, "No code is needed", "So few bonuses are spent without one.",
                           "Commit the hold."),
    "code_required": Kind(422, "The code is missing", "The customer was sent a code by SMS.",
                          "Ask for it, and commit with it."),
    "code_wrong": Kind(422, "This is not the code", f"Another was sent; {_TELLS} how many tries are left.",
                       "Ask the customer again."),
    "code_expired": Kind(422, "No code is good now", "A code is good for a few minutes.",
                         "Ask for a new one."),
    "too_many_tries": Kind(422, "Too many wrong codes", "The code is void after so many.",
                           "Ask for a new one."),
    "code_too_soon": Kind(429, "A code was just sent", "One code a minute and five an hour go to a customer.",
                          "Ask again after as many seconds as `Retry-After` says."),
    "no_phone": Kind(422, "No phone is known", "The code is sent by SMS, and the customer has no phone.",
                     "Add the customer's phone, or spend fewer bonuses."),
    "number_suppressed": Kind(422, "This number takes no SMS", "The code could not be sent to it.",
                              "Correct the customer's phone, or spend fewer bonuses."),
    "not_suppressed": Kind(404, "Nothing is suppressed", "The address takes messages on this channel.",
                           "Nothing is to be done."),
    # --- promo codes
    "unknown_code": Kind(404, "There is no such code", "Nobody made this code.", "Check how it is spelt."),
    "code_taken": Kind(409, "This code is there already", "A code can be made once.", "Choose another."),
    "bad_code": Kind(422, "This cannot be a code", "A code is letters and digits; dashes do not count.",
                     f"Choose another; {_TELLS} how long it may be."),
    "bad_dates": Kind(422, "These dates do not fit", "The last day comes before the first, or is over.",
                      "Correct the days."),
    "code_used": Kind(409, "This code has been used", "It was made for fewer uses.", "Ask for another."),
    "code_not_yet": Kind(422, "This code does not hold yet", "Its first day has not come.",
                         "Use it from that day on."),
    "code_over": Kind(422, "This code is over", "Its last day has passed, or it was disabled.",
                      "Go on without it."),
    "code_not_yours": Kind(422, "This code is somebody else's", "It was made for another customer.",
                           "Go on without it."),
    "code_limit": Kind(409, "This code was used often enough", "The customer may not use it again.",
                       "Go on without it."),
    "code_not_here": Kind(
        422, "This code is for something else",
        "Some codes hold on a purchase, others are told without one.", f"Use it there; {_TELLS} where.",
    ),
    # --- what a rule does not give
    "again": Kind(409, "Given already", "The rule gives this once.", "Nothing is to be done."),
    "not_yet": Kind(422, "The rule does not hold yet", "Its first day has not come.", "Ask from then on."),
    "over": Kind(422, "The rule is over", "Its last day has passed.", "Go on without it."),
    "tier": Kind(422, "Not for this level", "The rule is for customers of other levels.",
                 "Go on without it."),
    "limit": Kind(409, "The rule has given enough", "Its limit, in all or for this customer, is reached.",
                  "Go on without it."),
    "incomplete": Kind(422, "The profile is incomplete", "The rule asks for more of the profile.",
                       f"Complete it; {_TELLS} what is missing."),
    "gone": Kind(422, "There is no such rule any more", "It was taken out of program.yaml.",
                 "Go on without it."),
    # --- acts and referrals
    "unknown_act": Kind(422, "There is no such act", "The program grants nothing for this.",
                        f"Name an act that it knows; {_TELLS} which."),
    "unknown_friend": Kind(422, "The friend is unknown", "A referral names the customer who was brought.",
                           "Register the friend first."),
    "unknown_inviter": Kind(422, "The inviter is unknown", "Nobody has the number or code of the inviter.",
                            "Check it; the registration itself is good without."),
    "self_referral": Kind(409, "Nobody brings themselves", "The inviter and the friend are one customer.",
                          "Leave the inviter out."),
    "circular_referral": Kind(409, "They brought each other", "The friend had brought the inviter.",
                              "Leave the inviter out."),
    "already_referred": Kind(409, "Somebody else brought them", "The first inviter stays.",
                             "Nothing is to be done."),
    "already_bought": Kind(409, "The customer is no newcomer", "They had bought before they were brought.",
                           "Nothing is to be done."),
    "unknown_level": Kind(422, "There is no such level", "The program has no level of this name.",
                          f"Name one of its levels; {_TELLS} which there are."),
    # --- transfers, households, merging, erasure
    "transfers_not_allowed": Kind(
        403, "This program has no transfers", "`transfers` is not set in program.yaml.",
        "Let a marketer decide on it.",
    ),
    "same_account": Kind(422, "Both share one account", _SAME, "Name another customer."),
    "same_customer": Kind(422, "Both are one customer", _SAME, "Name another customer."),
    "in_a_household": Kind(409, "The customer belongs to a household", "A customer belongs to one at most.",
                           "Let them leave it first."),
    "not_a_member": Kind(409, "The customer is not of this household", "Somebody else heads theirs, if any.",
                         "Name the head of their household."),
    "not_the_head": Kind(409, "The customer is not the head", "A household is named by its head.",
                         "Name the head."),
    "is_the_head": Kind(409, "The head does not leave", "The household's bonuses are on the head's account.",
                        "Name another head first, or dissolve the household."),
    "head_of_household": Kind(
        409, "The customer heads a household", "The bonuses that it shares are not one person's to lose.",
        "Name another head first, or dissolve the household.",
    ),
    "household_full": Kind(409, "The household is full", "The program limits how many share an account.",
                           "Let somebody leave it first."),
    "two_households": Kind(409, "They belong to two households", "A merged profile could not stay in both.",
                           "Let one of them leave first."),
    "already_merged": Kind(409, "The profiles were merged already", "A merger is not undone.",
                           "Use the number of the one who stays."),
}  # fmt: skip


def kind_of(code: str) -> Kind:
    """The kind of a problem; a code that is not in the table is a plain refusal."""
    return PROBLEMS.get(code) or Kind(422, "This was refused", "The request was refused.", "See `detail`.")
