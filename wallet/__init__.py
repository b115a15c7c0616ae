"""The card: what stands on it, Apple and Google, devices, live updates, preview."""
