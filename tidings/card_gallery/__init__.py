"""A card in every level, language and theme as one page that needs nothing else."""

from tidings.card_gallery.drawing import page

__all__ = ["page"]
