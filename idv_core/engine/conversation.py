"""The plugin's side of an operation."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from ..errors import UnexpectedResponse, VendorError
from ..plugin.http import Exchange, NotAccepted, Response
from .context import Run
from .error_mapping import answer_error, outcome_unknown, unless_opened

T = TypeVar("T")


class Conversation(Generic[T]):
    """A plugin asks for a request, is given the answer, and ends with a value."""

    request: Any
    value: T

    def __init__(self, run: Run, exchange: Exchange[T]) -> None:
        self.is_over = False
        self._run, self._exchange = run, exchange

    def begin(self) -> None:
        try:
            self.request = next(self._exchange)
        except StopIteration as stop:
            self._end(stop)
        except NotAccepted as refused:
            raise _not_accepted(self._run, refused) from None

    def answer(self, response: Response) -> None:
        """Hand the answer over. Raises what the plugin makes of it where it is not what the plugin asked for."""
        try:
            self.request = self._exchange.send(response)
        except StopIteration as stop:
            self._end(stop)
        except NotAccepted as refused:
            raise _not_accepted(self._run, refused) from None
        except UnexpectedResponse as error:
            # a plugin that cannot read the answer to a create does not know whether there is something now
            request = self.request
            if request.idempotent and unless_opened(self._run, request, error) is error:
                raise
            what = f"the response is not understood: {error.message}"
            raise outcome_unknown(self._run, request, what, status=response.status) from None

    def close(self) -> None:
        self._exchange.close()

    def _end(self, stop: StopIteration) -> None:
        self.is_over, self.value = True, stop.value


def _not_accepted(run: Run, refused: NotAccepted) -> VendorError:
    failure = answer_error(run, refused.request, refused.response)
    if failure.nothing_done:
        run.refused(refused.request)
    return failure
