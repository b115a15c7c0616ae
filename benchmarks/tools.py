"""Programs of others that benchmarks hold ours against: where they are, and how to get them."""

import os
import shutil
import subprocess

from benchmarks.report import ROOT, lacking

# Where `make bench-tools` puts what comes from npm.
MODULES = ROOT / "build" / "bench" / "node_modules"
# What comes with Debian: the program, the package.
PACKAGES = {
    "smtp-sink": "postfix",
    "smtp-source": "postfix",
    "wrk": "wrk",
    "nghttpd": "nghttp2-server",
    "h2load": "nghttp2-client",
    "node": "nodejs",
    "npm": "npm",
    "openssl": "openssl",
}
NPM = ("nodemailer", "passkit-generator")


def found(name: str) -> str | None:
    """Where a program is; systems keep some of them out of the usual path."""
    return shutil.which(
        name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )


def needed(*names: str) -> str:
    """Where the first of these programs is; if one is missing, that is said and the benchmark left out."""
    missing = [name for name in names if found(name) is None]
    if missing:
        packages = " ".join(sorted({PACKAGES[name] for name in missing}))
        lacking(f"needs {', '.join(missing)}: apt-get install {packages} (or make bench-tools)")
    return str(found(names[0]))


def without(module: str) -> str | None:
    """Why a comparison with a module of npm cannot be made, or None."""
    if found("node") is None:
        return f"{module}: needs Node.js: apt-get install nodejs npm, then make bench-tools"
    if not (MODULES / module).is_dir() and not os.environ.get("NODE_PATH"):
        return f"{module}: needs the package of npm: make bench-tools"
    return None


def node(script: str, *arguments: str) -> str:
    """What a script says that uses modules of npm."""
    path = os.pathsep.join(filter(None, [str(MODULES), os.environ.get("NODE_PATH")]))
    run = subprocess.run(
        [needed("node"), "-e", script, *arguments],
        env=os.environ | {"NODE_PATH": path}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if run.returncode:
        raise SystemExit(f"Node.js did not run it:\n{run.stderr.strip()[-400:]}")
    return run.stdout


def commands() -> list[list[str]]:
    """What installs all that is missing: Debian's packages (as root), and those of npm into `build/`."""
    packages = sorted({package for name, package in PACKAGES.items() if found(name) is None})
    apt = ["apt-get", "install", "--yes", "--no-install-recommends", *packages]
    npm = ["npm", "install", "--no-audit", "--no-fund", "--prefix", str(MODULES.parent), *NPM]
    return [apt, npm] if packages else [npm]
