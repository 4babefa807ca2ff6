"""How the vendors do: facts out of events, sums over them, the report, and verdicts on splits and shadows.

Nothing here is a reason to prefer a vendor that approves more. Whom a vendor approves depends on who is sent there.
"""

from .refreshing import refresh
from .report import BY, COLUMNS, RATES, Cost, Line, columns, csv_of, report, rows
from .verdicts import VERDICT_COLUMNS, Verdict, verdict, verdict_rows

__all__ = [
    "BY",
    "COLUMNS",
    "RATES",
    "VERDICT_COLUMNS",
    "Cost",
    "Line",
    "Verdict",
    "columns",
    "csv_of",
    "refresh",
    "report",
    "rows",
    "verdict",
    "verdict_rows",
]
