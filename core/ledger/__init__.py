"""The bonus ledger: operations, lots and entries, always in balance."""
