"""What a vendor says in an error or beside a result, made harmless: short texts, and texts of a megabyte."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.measuring import GROWTH_HEADS, Growth, Spent, Table, interleaved, repeated, spent
from idv_core import Check, Flow, Result
from idv_core.engine.redaction import redact, redact_result
from idv_core.model import Reason
from idv_core.model.public import without_secrets
from idv_core.plugin.http import Request

SIZES = (10_000, 1_000_000)
ROUNDS = 9
# sentences, what patterns may stumble over, and characters that are not ASCII
PIECES = ("Ana Ruiz was rejected because of 4111 ", "a@", "1 ", "a", "x://", '"token": "b" ', "jan 1 ", "é")
# an order with a thousand values, each of which a vendor's text might repeat
REQUEST = Request.post("/flows", json={f"field_{number}": f"value number {number}" for number in range(1000)})
_GOAL = 0.010


def chapter() -> list[Table]:
    seen = {size: interleaved(turns(size), ROUNDS) for size in SIZES}
    rows = [
        Growth(what, SIZES, (seen[SIZES[0]][what].cpu, seen[SIZES[1]][what].cpu), "ms", most=most)
        for what, most in ((_ERROR, _GOAL), (_RESULT, _GOAL), (_RAW, None))
    ]
    about = f"The mean of {len(PIECES)} texts, hostile ones among them; sizes in characters."
    return [Table("Redaction: CPU", rows, heads=GROWTH_HEADS, about=about)]


_ERROR = "the text of an error, after a request with 1 000 values"
_RESULT = "words, notes, reasons and doubts of a result, that long each"
_RAW = "`Result.raw`, a JSON object of so many characters, when somebody looks at it"


def turns(size: int) -> dict[str, Callable[[], Spent]]:
    texts = [piece * (size // len(piece)) for piece in PIECES]
    flow = Flow(account="verigram", id="f-1", status="finished")
    results = [
        Result(
            flow=flow,
            vendor_word=text,
            notes=(text,),
            doubts=(Reason("answer.failure", text),),
            checks=(Check(kind="document", vendor_name=text, vendor_word=text, reasons=(text,)),),
        )
        for text in texts
    ]
    entry = {f"field_{number}": {"value": f"some value {number}", "confidence_score": 0.93} for number in range(10)}
    answer = {"entries": [entry] * (size // 570)}

    def mean(call: Callable[[], object]) -> Callable[[], Spent]:
        return lambda: spent(call, len(texts))

    return {
        _ERROR: mean(lambda: [redact(text, REQUEST, ("Ana Ruiz",)) for text in texts]),
        _RESULT: mean(lambda: [redact_result(result) for result in results]),
        _RAW: repeated(lambda: without_secrets(answer), 1),
    }
