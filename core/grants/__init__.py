"""Bonuses for what customers do besides buying, and the codes that open rules."""
