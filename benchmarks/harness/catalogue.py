"""Every benchmark: what it measures, how long it takes, and how it is asked for a trial run."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Benchmark:
    """`name` is its module and the file of its results; `minutes` is about how long it takes on two cores.

    `trial` are the arguments of a run that only shows that it works, in less than half a minute or so.
    """

    name: str
    says: str
    minutes: float
    trial: tuple[str, ...] = ("--quick",)


BENCHMARKS: tuple[Benchmark, ...] = (
    Benchmark("workers", "Delivery by two workers on PostgreSQL, in peace and under faults", 8),
    Benchmark("delivery", "Delivery end to end, SQLite in one process", 4,
              ("--messages", "1000", "--rounds", "1")),
    Benchmark("smtp", "Composing and sending email", 2, ("--messages", "1000", "--rounds", "1")),
    Benchmark("compose", "Composing email", 1, ("--seconds", "0.2", "--rounds", "1")),
    Benchmark("rendering", "Rendering a newsletter: page, text and SMS", 1),
    Benchmark("expiry_look", "The look for expiring bonuses as the base grows", 12,
              ("--sizes", "20000,100000", "--rounds", "1")),
    Benchmark("dry_run", "A dry run of the whole base", 4, ("50000", "--rounds", "1")),
    Benchmark("big_base", "A night's look over ten million customers on PostgreSQL", 45,
              ("--customers", "20000", "--rounds", "1", "--shard", "5000")),
    Benchmark("api", "Purchases over HTTP, as tills send them", 6),
    Benchmark("purchases", "Purchases in the ledger", 5,
              ("--rounds", "1", "--seconds", "1", "--customers", "300")),
    Benchmark("retail", "Importing a year of a grocer's receipts", 2, ("--households", "100")),
    Benchmark("page", "A customer's balance and page as the history grows", 2,
              ("--receipts", "10", "1000", "--rounds", "5")),
    Benchmark("late", "Late receipts and returns as more comes after them", 2,
              ("--later", "10", "50", "200", "--rounds", "1")),
    Benchmark("passes", "Signed passes and save links", 2, ("--rounds", "1", "--seconds", "1")),
    Benchmark("cards", "Live cards: from the till to the push", 8,
              ("--seconds", "5", "--holders", "500", "--cards", "5000", "--rounds", "1")),
    Benchmark("devices", "Phones that ask, as more of them are registered", 4,
              ("1000", "10000", "--rounds", "1", "--calls", "200")),
    Benchmark("size", "Bytes a customer, a receipt, a message", 4),
)  # fmt: skip


def named(name: str) -> Benchmark:
    """The benchmark of this name; LookupError with one sentence for none."""
    for benchmark in BENCHMARKS:
        if benchmark.name == name.replace("-", "_"):
            return benchmark
    known = ", ".join(it.name for it in BENCHMARKS)
    raise LookupError(f"there is no benchmark {name}; there are {known}")
