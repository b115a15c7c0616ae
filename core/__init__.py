"""The facts: customers, receipts, the bonus ledger, tiers, consent and events."""
