"""The till's conversation: who is there, what a cart costs, bonuses held, committed or let go."""

from fastapi import APIRouter

from tidings.api.till.assistant import routes as assistant
from tidings.api.till.holds import routes as holds
from tidings.api.till.quote import routes as quote

routes = APIRouter(prefix="/till", tags=["Till"])
for each in (assistant, quote, holds):
    routes.include_router(each)
