"""Tables of plain rows as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

FORMATS: Final = ("csv", "parquet")


def write_table(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], target: BinaryIO, form: str
) -> None:
    """Write rows of text and numbers.

    Args:
        rows: column → value.
        columns: their names and order; all of them are written even if there is no row.
        target: a file opened for bytes.
        form: ``csv`` or ``parquet``.
    """
    table = pa.table({name: [each[name] for each in rows] for name in columns})
    if form == "csv":
        pyarrow.csv.write_csv(table, target)
    else:
        pyarrow.parquet.write_table(table, target)
