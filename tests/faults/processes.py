"""Forked from a process that has loaded everything: real processes, but no second for each to start.

Python keeps one such process for all who ask, so what it loads is said in one place.
"""

import multiprocessing

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["tests.faults.launch", "tests.faults.clerk"])
