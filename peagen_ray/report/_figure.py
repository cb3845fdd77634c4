"""A figure that notebooks show as a value, whichever back-end matplotlib has there."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class ShownFigure(Figure):  # type: ignore[misc, unused-ignore]
    """A figure that belongs to nobody: no window opens, and pyplot does not know it."""

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        stream = io.BytesIO()
        self.savefig(stream, format="png", dpi=110)
        return stream.getvalue()
