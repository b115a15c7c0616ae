"""For the machine that watches: is the process there, and can it do its work?"""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy import inspect
from sqlalchemy.exc import DatabaseError

from campaigns.versions import live_version
from core.db import only_reads
from core.errors import EnvironmentFault
from tidings import schema
from tidings.api.access import Here
from tidings.api.services import Services
from tidings.moving.frozen import mark_of

routes = APIRouter(tags=["Health"])
_FRESH = {"Cache-Control": "no-store"}


@routes.head("/healthz", include_in_schema=False)
@routes.get("/healthz", responses={503: {}})
async def healthz(here: Here) -> Response:
    """200 while the process answers and nothing in it hangs; 503 once a beat has been stuck for 15 minutes:
    start it again. A database or a provider that is away is no reason.
    """
    now = here.now()
    stuck = [pulse.name for pulse in here.pulses() if pulse.stuck(now)]
    if stuck:
        return JSONResponse({"status": "stuck", "beats": stuck}, 503, _FRESH)
    return JSONResponse({"status": "ok"}, 200, _FRESH)


@routes.head("/readyz", include_in_schema=False)
@routes.get("/readyz", responses={503: {}})
def readyz(here: Here) -> Response:
    """200 if it can do its work: the database answers, has this version's tables and takes what is written,
    something is live and every beat beats; else 503 and why. A process that does not lead is ready, too.
    """
    checks = _database(here) | _beats(here)
    ready = all(check["ok"] for check in checks.values())
    body = {"status": "ready" if ready else "not ready", "checks": checks}
    return JSONResponse(body, 200 if ready else 503, _FRESH)


def _database(here: Services) -> dict[str, Any]:
    try:
        with here.database.read() as connection:
            version, moved = live_version(connection), mark_of(connection) is not None
            reads = only_reads(connection)
            migrated = inspect(connection).has_table("alembic_version")
        stands = schema.standing(here.database) if migrated else None
    except (EnvironmentFault, DatabaseError):
        return {"database": {"ok": False, "reason": "cannot be read"}, "live": {"ok": False}}
    checks: dict[str, Any] = {"database": {"ok": True}, "live": {"ok": version > 0, "version": version}}
    if moved:
        checks["database"] = {"ok": False, "reason": "this installation was moved to another database"}
    if reads:
        checks["database"] = {"ok": False, "reason": "it only reads"}
    if stands is not None:
        checks["schema"] = _schema(stands)
    return checks


def _schema(stands: schema.Standing) -> dict[str, Any]:
    said: dict[str, Any] = {"ok": stands.admits_this, "revision": stands.revision}
    if stands.admits_this:
        return said
    if stands.revision > schema.HEAD:
        need = f"works with programs of {stands.oldest} and newer, this one is of {schema.HEAD}"
        return said | {"reason": f"{need}: install the version that upgraded it"}
    need = f"is at {stands.revision}, this program needs {schema.HEAD}"
    return said | {"reason": f"{need}: `tidings db upgrade`"}


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
