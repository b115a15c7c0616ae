"""What the books come to in a period: the movement of bonuses, and what partners owe each other."""

from fastapi import APIRouter

from tidings.api.books import movement, settlement

routes = APIRouter()
for module in (movement, settlement):
    routes.include_router(module.routes)
