"""Goods as rules of program.yaml name them: these, and all but these."""

from collections.abc import Iterator
from functools import cached_property

from core.purchases.cart import Item
from core.source import Model
from core.units import Series


class Goods(Model):
    """These goods: of one of the categories, and of one of the brands, and one of the articles, as far as
    each is said.
    """

    category: Series[str] = ()
    brand: Series[str] = ()
    sku: Series[str] = ()

    @cached_property
    def _named(self) -> tuple[tuple[str, frozenset[str]], ...]:
        return tuple((kind, frozenset(names)) for kind, names in self.named())

    def named(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """What is said: (`category`, `brand` or `sku`, the names)."""
        for kind in ("category", "brand", "sku"):
            if names := getattr(self, kind):
                yield kind, names

    def covers(self, item: Item) -> bool:
        """Whether a line is of these goods."""
        return all(getattr(item, kind) in names for kind, names in self._named)

    def __str__(self) -> str:
        return " and ".join(f"{kind} {', '.join(names)}" for kind, names in self.named())


class Exclusion(Goods):
    """All but these goods: none of the categories, none of the brands, none of the articles; with
    `discounted`, nothing whose price was already lowered.
    """

    discounted: bool = False

    def covers(self, item: Item) -> bool:
        """Whether a line is left out."""
        if self.discounted and item.discounted:
            return True
        # A plain loop: this is asked of every line of every receipt.
        for kind, names in self._named:  # noqa: SIM110
            if getattr(item, kind) in names:
                return True
        return False

    @property
    def empty(self) -> bool:
        """Whether it leaves nothing out."""
        return not self.discounted and not self._named
