"""Results of tests as JUnit XML, which every CI reads."""

import re
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree as ET

from tidings.scenariotests import Moment, Result

# XML 1.0 has no place for these, however they are written.
UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def write_junit(path: Path, results: Sequence[Result]) -> None:
    """A suite a test file, a case a moment; whatever was not as expected there is one failure."""
    root = ET.Element("testsuites", _totals("tidings", [m for it in results for m in it.moments]))
    for result in results:
        suite = ET.SubElement(root, "testsuite", _totals(result.name, result.moments) | {"file": result.file})
        for moment in result.moments:
            _case(suite, result, moment)
    path.parent.mkdir(parents=True, exist_ok=True)
    ET.indent(root)
    ET.ElementTree(root).write(path, encoding="utf-8", xml_declaration=True)


def _totals(name: str, moments: Sequence[Moment]) -> dict[str, str]:
    failed = sum(bool(moment.mismatches) for moment in moments)
    return {
        "name": name, "tests": str(len(moments)), "failures": str(failed), "errors": "0", "skipped": "0",
        "time": _seconds(sum(moment.seconds for moment in moments)),
    }  # fmt: skip


def _case(suite: ET.Element, result: Result, moment: Moment) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=result.name, name=_text(moment.name), file=result.file,
        line=str(moment.line), time=_seconds(moment.seconds),
    )  # fmt: skip
    if moment.mismatches:
        who = ", ".join(dict.fromkeys(it.customer for it in moment.mismatches))
        said = f"not as expected: {who}"
        failure = ET.SubElement(case, "failure", message=_text(said), type="mismatch")
        failure.text = _text("\n".join(map(str, moment.mismatches)))


def _text(text: str) -> str:
    return UNWRITABLE.sub("\ufffd", text)


def _seconds(seconds: float) -> str:
    return f"{seconds:.3f}"
