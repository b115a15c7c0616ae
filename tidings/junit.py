"""Results of scenario tests as JUnit XML, which every CI reads."""

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from tidings.scenariotests import Result


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """One suite; one case a test file, with every mismatch as a failure."""
    failed = sum(not result.passed for result in results)
    suite = ET.Element("testsuite", name="tidings", tests=str(len(results)), failures=str(failed))
    for result in results:
        case = ET.SubElement(suite, "testcase", classname=result.file, name=result.name)
        for mismatch in result.mismatches:
            failure = ET.SubElement(case, "failure", message=f"{mismatch.place}: {mismatch.customer}")
            failure.text = str(mismatch)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.ElementTree(suite).write(path, encoding="utf-8", xml_declaration=True)
