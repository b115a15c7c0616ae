"""What rules of earning look at: the lines of a cart with what was paid for them in money."""

from collections.abc import Sequence

from core.fact import fact
from core.program import Program
from core.program.goods import Goods
from core.purchases.cart import Cart, Item, kept_of
from core.purchases.spending import lay_payment


@fact
class Basis:
    """The lines of a cart, or what was kept of them.

    `net` is what was paid for each line without bonuses, `money` the same but 0 where it earns nothing
    (minor units); `quantity` in thousandths; `total` is the price of the whole receipt.
    """

    cart: Cart
    net: tuple[int, ...]
    money: tuple[int, ...]
    quantity: tuple[int, ...]
    total: int

    @property
    def items(self) -> tuple[Item, ...]:
        """The cart's lines."""
        return self.cart.items

    @property
    def paid(self) -> int:
        """The money of the whole receipt, whatever it was paid for."""
        return sum(self.net)

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
        money = tuple(
            [0 if exclude.covers(item) else part for item, part in zip(cart.items, net, strict=True)]
        )
    return Basis(cart, net, money, tuple([item.quantity for item in cart.items]), cart.total)


def _net(program: Program, cart: Cart) -> tuple[int, ...]:
    if not cart.paid_points:
        return tuple([item.total for item in cart.items])
    paid = cart.paid or lay_payment(program, cart, cart.paid_points)
    return tuple([max(0, item.total - part) for item, part in zip(cart.items, paid, strict=True)])


def kept_basis(basis: Basis, left: Sequence[int]) -> Basis:
    """What is left of it when only `left` thousandths of each line were kept; at least one is kept.

    The price and what bonuses paid of it are those that the receipt then shows, so that the rules see of the
    goods what they would see had only these been bought.
    """
    back = [item.quantity - part for item, part in zip(basis.items, left, strict=True)]
    totals = [kept_of(item.total, item, part) for item, part in zip(basis.items, back, strict=True)]
    paid = [item.total - net for item, net in zip(basis.items, basis.net, strict=True)]
    net = tuple(
        total - kept_of(points, item, part)
        for total, points, item, part in zip(totals, paid, basis.items, back, strict=True)
    )
    money = tuple(now if then else 0 for now, then in zip(net, basis.money, strict=True))
    return Basis(basis.cart, net, money, tuple(left), sum(totals))


def kept_part(amount: int, left: int, quantity: int) -> int:
    """Of an amount on a line, the part of what is left, rounded down; a line without a quantity stays."""
    return amount * left // quantity if quantity else amount
