"""Everything that is kept about a person, over the API."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import ConfigDict, RootModel

from tidings.api.access import Here, asks
from tidings.api.lookup import CustomerPath, known
from tidings.api.render import HEADERS
from tidings.personal_data import FILE_NAME, personal_data, to_json

EXAMPLE: dict[str, Any] = {
    "program": "Kavarnia", "made_at": "2026-03-01T08:15:00+00:00",
    "profile": {"external_id": "10042", "name": "Олена Коваль", "email": "olena@example.com"},
    "addresses": [{"kind": "email", "value": "olena@example.com", "active": True,
                   "since": "2026-03-01T08:00:00+00:00"}],
    "receipts": [], "messages": [],
}  # fmt: skip


class PersonalData(RootModel[dict[str, Any]]):
    """A list of rows for each part, by its name; amounts in whole units, times in UTC."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})


routes = APIRouter(prefix="/customers", tags=["Export"])


@routes.get(
    "/{external_id}/data", **asks("customers:export", "unknown_customer", answer=PersonalData),
)  # fmt: skip
def data(here: Here, external_id: CustomerPath) -> Response:
    """Everything that is kept about a customer, for them to take elsewhere: it names them in full.

    Profile, addresses, consents with their proof, receipts, bonuses, messages with their texts, decisions.
    """
    with here.database.read() as connection:
        row = known(connection, external_id)
        found = personal_data(connection, here.workspace.live, here.links, row, here.now())
    headers = {**HEADERS, "Content-Disposition": f'attachment; filename="{FILE_NAME}"'}
    return Response(to_json(found), media_type="application/json", headers=headers)
