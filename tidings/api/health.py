"""For the machine that watches: is the process there, and can it do its work?"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response

from campaigns.versions import live_version
from core.errors import EnvironmentFault
from tidings.api.access import Here
from tidings.api.services import Services

routes = APIRouter(tags=["Health"])


@routes.get("/healthz")
def healthz() -> dict[str, str]:
    """200 while the process answers."""
    return {"status": "ok"}


@routes.get("/readyz", responses={503: {}})
def readyz(here: Here) -> Response:
    """200 if the database is reachable, something is live and every beat does its work; else 503 and why."""
    checks = _database(here) | _beats(here)
    ready = all(check["ok"] for check in checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return JSONResponse(body, 200 if ready else 503, {"Cache-Control": "no-store"})


def _database(here: Services) -> dict[str, Any]:
    try:
        with here.database.read() as connection:
            version = live_version(connection)
    except EnvironmentFault:
        return {"database": {"ok": False}, "live": {"ok": False}}
    return {"database": {"ok": True}, "live": {"ok": version > 0, "version": version}}


def _beats(here: Services) -> dict[str, Any]:
    now = here.now()
    pulses = here.pulses()
    if not pulses:
        return {"beats": {"ok": False, "reason": "not started"}}
    return {
        f"beat:{pulse.name}": {"ok": pulse.alive(now), "failures": pulse.failures,
                               "seconds_since": max(0, round((now - pulse.ended_at).total_seconds()))}
        for pulse in pulses
    }  # fmt: skip
