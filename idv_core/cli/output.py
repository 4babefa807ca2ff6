"""How the command speaks: tables for people, JSON for programs, and the exit codes."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import wrap
from typing import Any

import attrs
import typer
from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from ..engine.scrubbing import keeps_tracebacks
from ..errors import (
    ConfigError,
    DeadlineExceeded,
    IdvError,
    InvalidOrder,
    OutcomeUnknown,
    PluginError,
    RateLimited,
    VendorError,
    VendorUnavailable,
)
from ..model import Check, DocumentEvidence, Flow, Result, to_json

OK, FAILED, USAGE, NOT_FINISHED, TRY_LATER, UNKNOWN = 0, 1, 2, 3, 4, 5

EXIT_CODES = """Exit codes: 0 done; 1 the vendor refused; 2 wrong usage or configuration; 3 not finished in time;
4 the vendor is unavailable, try later; 5 outcome unknown, find out before you retry."""


def console() -> Console:
    """Colours on a terminal; plain and wide elsewhere. What stands in brackets or between colons is text."""
    if sys.stdout.isatty():
        return Console(markup=False, emoji=False, soft_wrap=True)
    return Console(width=180, no_color=True, highlight=False, markup=False, emoji=False, soft_wrap=True)


class FittingTable(Table):
    """A table; where a word would be cut to make it fit, lines of `column  value` instead."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self.rows and len(self.columns) > _LABEL_AND_VALUE:
            yield Text("none")
            return
        least = self.__rich_measure__(console, options.update(max_width=_NO_BOUND)).minimum
        if least <= options.max_width:
            yield from super().__rich_console__(console, options)
            return
        for line in self._lines(options.max_width):
            # a word that is longer than the screen goes on in the next line, and can still be copied as one
            yield Text(line, no_wrap=True, overflow="ignore")

    def _lines(self, width: int) -> Iterator[str]:
        if self.title:
            yield str(self.title)
        heads = [str(column.header) for column in self.columns]
        rows = list(zip(*(map(str, column.cells) for column in self.columns), strict=True))
        if len(heads) == _LABEL_AND_VALUE:
            blocks = [[(heads[0], heads[1]), *rows]]
        else:
            blocks = [list(zip(heads, row, strict=True)) for row in rows]
        for block in blocks:
            yield ""
            indent = 2 + max(len(label) for label, _ in block)
            for label, value in block:
                wrapped = [part for line in value.split("\n") for part in _wrapped(line, width - indent)]
                for number, part in enumerate(wrapped):
                    yield f"{'' if number else label:<{indent}}{part}".rstrip()


_NO_BOUND = 100_000
_LABEL_AND_VALUE = 2
_NARROWEST = 20


def _wrapped(line: str, width: int) -> list[str]:
    return wrap(line, max(width, _NARROWEST), break_long_words=False, break_on_hyphens=False) or [""]


def table(*columns: str, title: str | None = None) -> Table:
    style = box.ROUNDED if sys.stdout.isatty() else box.ASCII
    made = FittingTable(title=title, box=style, show_lines=True)
    for column in columns:
        made.add_column(column, overflow="fold")
    return made


def counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def as_json(data: Any) -> None:
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2))


# what a database's address asks for, and what brings it
_DRIVERS = {"psycopg": "psycopg[binary]", "psycopg2": "psycopg2-binary"}


@contextmanager
def reported(json_wanted: bool = False) -> Iterator[None]:
    """An error of ours becomes one clear line and an exit code; with `--json` also an object on stdout."""
    try:
        yield
    except IdvError as error:
        raise _ended(str(error), exit_code(error), json_wanted, error) from None
    except ModuleNotFoundError as error:
        what = _DRIVERS.get(error.name or "", "idv-core[testing]")
        text = f"{error.name} is missing; install it with: pip install '{what}'"
        raise _ended(text, USAGE, json_wanted, error) from None
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        # one of our own has a sentence instead of a number
        what = error.strerror or str(error) or "cannot be read or written"
        raise _ended(where + what, USAGE, json_wanted, error) from None
    except UnicodeEncodeError as error:
        # what the shell handed over as bytes
        raise _ended("an argument is not UTF-8: type it anew", USAGE, json_wanted, error) from None
    except (ValueError, OverflowError) as error:
        raise _ended(str(error), USAGE, json_wanted, error) from None


class Commands(TyperGroup):
    """The commands. With `--json` wrong usage is one line and an object on stdout, like any other error."""

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        json_wanted = "--json" in args
        with _usage_reported(json_wanted):
            context = super().make_context(info_name, args, parent, **extra)
        context.meta[__name__] = json_wanted
        return context

    def invoke(self, ctx: Any) -> Any:
        with _usage_reported(ctx.meta[__name__]):
            return super().invoke(ctx)


# typer has its own copy of click in some releases, and click itself in others
_UsageError: type[Any] = typer.BadParameter.__bases__[0]


@contextmanager
def _usage_reported(json_wanted: bool) -> Iterator[None]:
    try:
        yield
    except _UsageError as error:
        if not json_wanted:
            raise
        raise _ended(error.format_message(), USAGE, json_wanted, error) from None


def _ended(text: str, code: int, json_wanted: bool, error: Exception) -> typer.Exit:
    typer.echo(f"idv: {text}", err=True)
    if keeps_tracebacks():
        traceback.print_exception(error)
    if json_wanted:
        kind = type(error).__name__ if isinstance(error, IdvError) else "usage"
        as_json({"error": {"kind": kind, "message": text, "exit_code": code, **_details(error)}})
    return typer.Exit(code)


def _details(error: Exception) -> dict[str, Any]:
    """What programs may want to look at; what is not known is left out."""
    told: dict[str, Any] = {}
    if isinstance(error, IdvError):
        told |= {"account": error.account, "operation": error.operation}
    if isinstance(error, ConfigError):
        told["problems"] = [attrs.asdict(problem) for problem in error.problems]
    if isinstance(error, VendorError):
        told |= {
            "request": error.request,
            "http_status": error.status,
            "code": error.code,
            "fields": list(error.fields),
            "request_id": error.request_id,
            "safe_to_retry": error.safe_to_retry,
            "nothing_done": error.nothing_done,
            "retry_after": error.retry_after and error.retry_after.total_seconds(),
        }
    if isinstance(error, OutcomeUnknown):
        told |= {"ask": error.ask, "since": error.since and error.since.isoformat()}
    return {name: value for name, value in told.items() if value not in (None, [])}


def exit_code(error: IdvError) -> int:
    match error:
        case ConfigError() | PluginError():
            return USAGE
        case InvalidOrder(status=None):
            # it was found wrong here, before any vendor was asked
            return USAGE
        case DeadlineExceeded():
            return NOT_FINISHED
        case VendorUnavailable() | RateLimited():
            return TRY_LATER
        case OutcomeUnknown():
            return UNKNOWN
        case _:
            return FAILED


def show_flow(flow: Flow, *, json_wanted: bool, link: bool) -> None:
    if json_wanted:
        data = {"ref": flow.ref, **to_json(flow)}
        as_json({**data, "link": flow.link.url.reveal()} if link and flow.link else data)
        return
    shown = table("flow", flow.ref)
    shown.add_row("status", flow.status.value)
    if flow.explanation is not None and flow.explanation.route is not None:
        shown.add_row("route", flow.explanation.route)
    for upload in flow.uploads:
        shown.add_row(
            f"upload {upload.document_id}", "taken" if upload.accepted else f"refused: {_check(upload.check)}"
        )
    if flow.link is not None:
        shown.add_row("link", flow.link.url.reveal() if link else "hidden; show it with --show-link")
    console().print(shown)


def show_result(result: Result, *, json_wanted: bool) -> None:
    if json_wanted:
        as_json({"ref": result.flow.ref, **to_json(result)})
        return
    shown = table("flow", result.flow.ref)
    for name, text in result_rows(result):
        shown.add_row(name, text)
    console().print(shown)


def result_rows(result: Result) -> list[tuple[str, str]]:
    """The same rows for every vendor. No extracted value is shown."""
    return [
        ("status", result.status.value),
        ("checks", "\n".join(_check(check) for check in result.checks) or "none"),
        ("documents", "\n".join(_document(document) for document in result.documents) or "none"),
        ("vendor verdict", result.verdict.value if result.verdict else "none"),
        ("decision", result.decision.value.upper()),
        ("why", "\n".join(str(reason) for reason in result.reasons)),
    ]


def _check(check: Check | None) -> str:
    if check is None:
        return ""
    score = f" {check.score.value:.2f}" if check.score else ""
    outcome = check.outcome.value if check.outcome else "no outcome"
    return f"{check.label}{_in_brackets(check.vendor_name)}: {outcome}{score}"


def _document(document: DocumentEvidence) -> str:
    kind = f"{document.type or 'unknown type'}{_in_brackets(document.vendor_type)}"
    return f"{document.document_id or '(unattributed)'}: {kind}, {len(document.fields)} fields"


def _in_brackets(word: str | None) -> str:
    """The vendor's own word beside ours."""
    return f" ({word})" if word else ""
