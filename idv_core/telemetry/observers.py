"""What an observer implements, as hooks of pluggy."""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from .events import CircuitChanged, Decided, OperationEnded, OperationStarted, RequestEnded, RequestStarted

_PROJECT = "idv_core.telemetry"
_spec = pluggy.HookspecMarker(_PROJECT)
observes = pluggy.HookimplMarker(_PROJECT)


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


def manager_of(observers: Iterable[object]) -> pluggy.PluginManager:
    """Raises TypeError for an object without marked methods."""
    manager = pluggy.PluginManager(_PROJECT)
    manager.add_hookspecs(ObserverHooks)
    for observer in observers:
        if not any(manager.parse_hookimpl_opts(observer, name) for name in dir(observer)):
            raise TypeError(f"{type(observer).__name__} observes nothing: mark its methods with @observes")
        manager.register(observer)
    manager.check_pending()
    return manager
