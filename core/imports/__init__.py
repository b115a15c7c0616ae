"""Bringing in what a shop already has: customers, receipts, products, stores, consents and
suppressions, from files.

`columns` says what a file of each kind holds, `reading` turns CSV, JSON Lines and Parquet into rows,
`kinds` turn rows into facts, `engine` brings them in by transactions of a few thousand rows, or shares them
with other processes (`parts`).
"""

from core.imports.engine import Progress, import_file
from core.imports.work import Report

__all__ = ["Progress", "Report", "import_file"]
