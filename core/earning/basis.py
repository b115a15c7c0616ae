"""What rules of earning look at: the lines of a cart with what was paid for them in money."""

from collections.abc import Sequence
from dataclasses import dataclass

from core.program import Program
from core.program.goods import Goods
from core.purchases.cart import Cart, Item
from core.purchases.spending import lay_payment


@dataclass(frozen=True, slots=True)
class Basis:
    """The lines of a cart, or what was kept of them.

    `money` is what was paid for each line without bonuses, 0 where it earns nothing (minor units);
    `quantity` in thousandths; `paid` is the money and `total` the price of the whole receipt.
    """

    cart: Cart
    money: tuple[int, ...]
    quantity: tuple[int, ...]
    paid: int
    total: int

    @property
    def items(self) -> tuple[Item, ...]:
        """The cart's lines."""
        return self.cart.items

    def of(self, goods: Goods | None) -> tuple[int, ...]:
        """The money paid for each line of these goods; 0 for others."""
        if goods is None:
            return self.money
        return tuple(
            money if money and goods.covers(item) else 0
            for item, money in zip(self.items, self.money, strict=True)
        )


def basis_of(program: Program, cart: Cart) -> Basis:
    """The whole cart."""
    net = _net(program, cart)
    exclude = program.earn.exclude
    money = net
    if not exclude.empty:
        money = tuple(0 if exclude.covers(item) else part for item, part in zip(cart.items, net, strict=True))
    return Basis(cart, money, tuple(item.quantity for item in cart.items), sum(net), cart.total)


def _net(program: Program, cart: Cart) -> tuple[int, ...]:
    totals = tuple(item.total for item in cart.items)
    if not cart.paid_points:
        return totals
    paid = cart.paid or lay_payment(program, cart, cart.paid_points)
    return tuple(max(0, total - part) for total, part in zip(totals, paid, strict=True))


def kept_of(basis: Basis, left: Sequence[int]) -> Basis:
    """What is left of it when only `left` thousandths of each line were kept; at least one is kept."""

    def kept(parts: Sequence[int]) -> tuple[int, ...]:
        return tuple(map(kept_part, parts, left, basis.quantity))

    totals = kept([item.total for item in basis.items])
    net = basis.paid * sum(totals) // basis.total if basis.total else 0
    return Basis(basis.cart, kept(basis.money), tuple(left), net, sum(totals))


def kept_part(amount: int, left: int, quantity: int) -> int:
    """Of an amount on a line, the part of what is left, rounded down; a line without a quantity stays."""
    return amount * left // quantity if quantity else amount
