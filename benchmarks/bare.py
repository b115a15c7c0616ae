"""The least that records a sale: FastAPI, a schema, one insert, one commit.

    python -m benchmarks.bare URL PORT

It answers at the same address to the same requests as Tidings does, and knows nothing of bonuses.
"""

import sys
from datetime import datetime

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy import Column, Integer, MetaData, String, Table, insert

from core.db import Database, Json, UtcDateTime

SALE = Table(
    "bare_sale", MetaData(),
    Column("id", Integer, primary_key=True), Column("receipt", String(100), unique=True),
    Column("customer", String(100)), Column("at", UtcDateTime), Column("lines", Json),
)  # fmt: skip


class Line(BaseModel):
    """A line as it comes."""

    sku: str
    quantity: str
    total: str


class Sale(BaseModel):
    """A receipt as it comes."""

    id: str
    customer: str
    at: datetime
    store: str
    lines: list[Line]


def application(database: Database) -> FastAPI:
    """One endpoint, and the one that says that it is there."""
    app = FastAPI()

    @app.post("/api/v1/receipts", status_code=201)
    def post(sale: Sale) -> dict[str, str]:
        lines = [line.model_dump() for line in sale.lines]
        values = {"receipt": sale.id, "customer": sale.customer, "at": sale.at, "lines": lines}
        with database.write() as connection:
            connection.execute(insert(SALE).values(**values))
        return {"receipt": sale.id}

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app


def main() -> None:
    """Serve as `tidings serve` does."""
    database = Database(sys.argv[1])
    SALE.metadata.create_all(database.engine)
    uvicorn.run(
        application(database), port=int(sys.argv[2]), log_config=None, access_log=False, http="h11", ws="none"
    )


if __name__ == "__main__":
    main()
