"""Runs the benchmarks, holds them against the reference run, and shows what came out."""
