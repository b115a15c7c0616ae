"""`GET /metrics`: numbers for Prometheus, for keys with the scope `metrics:read` (role `metrics`)."""

from fastapi import APIRouter, BackgroundTasks, Depends, Response

from tidings import metrics as numbers
from tidings.api.access import Here, asks, authorized

routes = APIRouter(include_in_schema=False, dependencies=[Depends(authorized)])


@routes.get("/metrics", **asks("metrics:read"))
def told(here: Here, later: BackgroundTasks) -> Response:
    """Everything in Prometheus' text form."""
    from prometheus_client import CONTENT_TYPE_LATEST

    answer = Response(numbers.text(here), media_type=CONTENT_TYPE_LATEST)
    later.add_task(here.card_figures.renew)
    return answer
