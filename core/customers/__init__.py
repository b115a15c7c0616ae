"""Customers: who they are, whose bonuses they use, where they are reached, how they are forgotten."""
