"""A local aggregator with an HTTP interface of its own, described in program.yaml instead of in code."""
