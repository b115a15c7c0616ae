"""What customers have together, and what is done for them by hand."""

from fastapi import APIRouter

from tidings.api.people import (
    adjustments,
    erasure,
    export,
    households,
    invitations,
    merging,
    suppressions,
    transfers,
)

routes = APIRouter()
for module in (
    adjustments,
    invitations,
    transfers,
    merging,
    households,
    export,
    erasure,
    suppressions,
):
    routes.include_router(module.routes)
