"""The steps from one schema to the next, each a file in versions/; written by scripts/migration."""
