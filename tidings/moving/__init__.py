"""Moving up: an installation on SQLite is taken to PostgreSQL, whole, verified, and once.

The file is frozen first, so that nothing changes while it is copied and nothing is ever sent from it again:
also by a `serve` that still runs on it. A copy that was broken off goes on where it was.
"""
