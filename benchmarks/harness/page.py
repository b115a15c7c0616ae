"""The figures in docs/performance.md: written from the reference run, between marks, never by hand."""

import re
from collections.abc import Mapping

from benchmarks.harness.reference import REFERENCE, Kept, kept
from benchmarks.harness.table import markdown
from benchmarks.report import ROOT

PAGE = ROOT / "docs" / "performance.md"
_MARKED = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def written(text: str) -> str:
    """The page with the figures of the reference run at its marks."""
    return _MARKED.sub(lambda found: f"{found[1]}\n{_figures(found[2])}\n\n{found[3]}", text)


def update() -> None:
    """Bring the page up to date."""
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")


def _figures(name: str) -> str:
    found = kept(REFERENCE, name)
    if found is None:
        return f"*Not in the reference run yet: `make bench-{name}`.*"
    left_out = "".join(f"\n\nLeft out: {sentence}" for sentence in found["left_out"])
    return f"{markdown(found)}\n\n{_where(found, found['machine'])}{left_out}"


def _where(found: Kept, here: Mapping[str, object]) -> str:
    return (
        f"*{found['at'][:10]}, commit {found['commit']}; {here['processor']}, {here['cpus']} cores, "
        f"{here['memory_gb']:g} GB, {here['system']}, Python {here['python']}, SQLite {here['sqlite']}; "
        f"load before {_load(here['load_before'])}. `make bench-{found['benchmark']}`*"
    )


def _load(load: object) -> str:
    assert isinstance(load, list)
    return f"{load[0]:g}"
