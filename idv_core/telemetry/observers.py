"""Calls observers, with pluggy."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

import pluggy

from .events import CircuitChanged, Decided, OperationEnded, OperationStarted, RequestEnded, RequestStarted

_PROJECT = "idv_core.telemetry"
_spec = pluggy.HookspecMarker(_PROJECT)
observes = pluggy.HookimplMarker(_PROJECT)
log = logging.getLogger("idv_core")


class ObserverHooks:
    """The hooks that an observer may implement. They run in the thread or task of the call, so be quick."""

    @_spec
    def operation_started(self, event: OperationStarted) -> None: ...

    @_spec
    def operation_ended(self, event: OperationEnded) -> None: ...

    @_spec
    def request_started(self, event: RequestStarted) -> None: ...

    @_spec
    def request_ended(self, event: RequestEnded) -> None: ...

    @_spec
    def circuit_changed(self, event: CircuitChanged) -> None: ...

    @_spec
    def decided(self, event: Decided) -> None: ...


class Observers:
    """The observers of one gateway. False if there are none. Raises TypeError for an object without marked methods."""

    def __init__(self, observers: Iterable[object] = ()) -> None:
        self._all = tuple(observers)
        self._manager = pluggy.PluginManager(_PROJECT)
        self._manager.add_hookspecs(ObserverHooks)
        for observer in self._all:
            if not any(self._manager.parse_hookimpl_opts(observer, name) for name in dir(observer)):
                raise TypeError(f"{type(observer).__name__} observes nothing: mark its methods with @observes")
            self._manager.register(observer)
        self._manager.check_pending()

    def __bool__(self) -> bool:
        return bool(self._all)

    def tell(self, hook: str, event: Any) -> None:
        """Call the hook of every observer."""
        try:
            getattr(self._manager.hook, hook)(event=event)
        except Exception as error:
            # the class alone, for the text of somebody else's error may hold anything
            log.warning(
                "observer failed in %s: %s",
                hook,
                type(error).__name__,
                extra={"idv_hook": hook, "idv_error": type(error).__name__},
            )
