"""The table of imports that several processes share."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Index, Text
from sqlmodel import Field, SQLModel

from core.tables.columns import identity, json_column, moment


class ImportPart(SQLModel, table=True):
    """Rows of a file that any process may bring in; they are personal, and emptied as soon as they are in.

    Parts of one `lane` of a `run` go in by their order: one customer's rows are all in one lane. `outcome`
    is what became of the rows, once it is `done_at`.
    """

    __tablename__ = "import_part"
    __table_args__ = (Index("import_part_of_run", "run", "lane", "id"),)
    id: int | None = identity()
    run: str = Field(max_length=32)
    lane: int
    kind: str
    program_version: int = Field(sa_column=Column(BigInteger, nullable=False))
    live: bool
    recorded_at: datetime = moment()
    rows: str = Field(sa_column=Column(Text, nullable=False), repr=False)
    outcome: dict[str, object] = json_column()
    at: datetime = moment()
    done_at: datetime | None = moment(nullable=True)
