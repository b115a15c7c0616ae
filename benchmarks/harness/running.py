"""Runs benchmarks one after the other, each in a process of its own, so that its memory is its own too."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.harness.catalogue import Benchmark
from benchmarks.harness.reference import REFERENCE, Kept, Worse, compared, kept
from benchmarks.report import LACKING, LAST, ROOT

TRIAL = ROOT / "build" / "bench" / "trial"
# A benchmark that takes so many times as long as the catalogue says is ended.
PATIENCE = 4
LEAST_SECONDS = 600


@dataclass(slots=True)
class Run:
    """What became of a benchmark. `left_out` and `failed` are sentences; `worse` outlived a repetition."""

    benchmark: Benchmark
    seconds: float = 0.0
    kept: Kept | None = None
    left_out: list[str] = field(default_factory=list)
    failed: str | None = None
    worse: list[Worse] = field(default_factory=list)


def run(benchmark: Benchmark, *, trial: bool) -> Run:
    """Run it; once more if a ratio became worse than in the reference run, since a machine has moods."""
    folder = TRIAL if trial else LAST
    done = _once(benchmark, folder, benchmark.trial if trial else ())
    if trial or done.kept is None:
        return done
    done.worse = compared(done.kept, kept(REFERENCE, benchmark.name))
    if not done.worse:
        return done
    print("worse than in the reference run, so it is measured once more", flush=True)
    again = _once(benchmark, folder, ())
    if again.kept is None:
        return again
    again.seconds += done.seconds
    before = {(it.row.what, it.row.against) for it in done.worse}
    twice = compared(again.kept, kept(REFERENCE, benchmark.name))
    again.worse = [it for it in twice if (it.row.what, it.row.against) in before]
    return again


def _once(benchmark: Benchmark, folder: Path, arguments: Sequence[str]) -> Run:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{benchmark.name}.json").unlink(missing_ok=True)
    began = time.monotonic()
    code, said = _process(benchmark, folder, arguments)
    found = Run(benchmark, time.monotonic() - began)
    last = said.strip().splitlines()[-1] if said.strip() else ""
    if code == LACKING:
        found.left_out = [last]
    elif code:
        sys.stderr.write(said)
        found.failed = last or f"ended with {code}"
    else:
        found.kept = kept(folder, benchmark.name)
        found.failed = None if found.kept else "kept nothing"
        found.left_out = list(found.kept["left_out"]) if found.kept else []
    return found


def _process(benchmark: Benchmark, folder: Path, arguments: Sequence[str]) -> tuple[int, str]:
    """Its exit code, and what it said on stderr."""
    command = [sys.executable, "-m", f"benchmarks.{benchmark.name}", *arguments]
    seconds = max(LEAST_SECONDS, benchmark.minutes * 60 * PATIENCE)
    with tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(
            command, cwd=ROOT, stderr=errors, env=os.environ | {"BENCH_RESULTS": str(folder)},
            start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = _end(process)
            errors.write(f"\nit was ended after {seconds / 60:.0f} minutes")
        except BaseException:
            _end(process)
            raise
        errors.seek(0)
        return code, errors.read()


def _end(process: subprocess.Popen[bytes]) -> int:
    """It and everything that it started."""
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return 1
