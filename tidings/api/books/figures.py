"""What became of bonuses over a time, as the reports of the books tell it."""

from pydantic import BaseModel


class FiguresOut(BaseModel):
    """Whole bonuses over a time: `opening` and the rest make `closing`."""

    opening: str
    given: str
    spent: str
    adjusted: str
    moved: str
    repaid: str
    forgiven: str
    expired: str
    erased: str
    closing: str
