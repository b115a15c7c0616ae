"""`tracking` in program.yaml: whether opened messages and followed links are noted."""

from core.source import Model


class Tracking(Model):
    """Nothing is tracked unless the program says so."""

    opens: bool = False
    clicks: bool = False

    def follows(self, field: str) -> bool:
        """Whether anything would be known of an audience's `opened` or `clicked`; a click is an open too."""
        return self.clicks or (field == "opened" and self.opens)
