"""The command line starts fast because it loads nothing that it does not use."""

import subprocess
import sys

import pytest

# What takes long to load, or belongs to one vendor: each is loaded by the module that uses it, when it does.
HEAVY = (
    "PIL", "aiosmtplib", "alembic", "apscheduler", "babel", "cryptography", "fastapi", "firebase_admin",
    "google", "httpx", "jwt", "mjml", "phonenumbers", "psycopg", "pyarrow", "resvg_py", "twilio",
    "uvicorn", "zxingcpp",
)  # fmt: skip

PROGRAM = """
import sys
from tidings.cli import main
try:
    main()
except SystemExit as end:
    code = end.code
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


@pytest.mark.parametrize("arguments", [["--help"], ["dry-run", "--help"], ["check", "--help"]], ids=" ".join)
def test_help_loads_no_vendor_library_and_nothing_heavy(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    loaded = done.stdout.rpartition("loaded:")[2].split()
    assert "tidings" in loaded
    assert sorted(set(loaded) & set(HEAVY)) == []
