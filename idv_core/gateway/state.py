"""The state of a gateway: the configuration in use, and what it knows about open flows."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import datetime

import attrs

from ..clock import Clock
from ..config import Configuration, check
from ..config.check import check_default
from ..engine.account import AccountHealth, AccountSession
from ..engine.log import log_configuration, log_vanished
from ..engine.rotation import Reloads, Rereads
from ..engine.waiters import Waiters
from ..model import Explanation, FlowOrder, Policy
from ..registry import Registry
from ..runtime.forks import renew_after_fork
from ..telemetry import Observers
from .active import ActiveConfiguration
from .documents import check_order
from .openings import Openings
from .telling import Decisions


@attrs.define(kw_only=True, eq=False, repr=False)
class GatewayState:
    """What one gateway works with. `active` is the configuration in force, which is only ever exchanged as a whole."""

    active: ActiveConfiguration
    default: Policy
    clock: Clock
    registry: Registry
    waiters: Waiters
    observers: Observers
    decisions: Decisions = attrs.field(factory=Decisions, repr=False)
    openings: Openings = attrs.field(factory=Openings)
    rereads: Rereads = attrs.field(factory=Rereads, repr=False)
    _reloads: Reloads = attrs.field(factory=Reloads, repr=False)
    _exchange: threading.RLock = attrs.field(factory=threading.RLock, repr=False)

    def __attrs_post_init__(self) -> None:
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._exchange = threading.RLock()

    @classmethod
    def over(
        cls,
        configuration: Configuration,
        default: Policy,
        clock: Clock,
        registry: Registry,
        observers: Iterable[object],
    ) -> GatewayState:
        check_default(configuration, default)
        checked = check(configuration, registry, clock.now()).or_raise()
        return cls(
            active=ActiveConfiguration.of(checked, default, clock),
            default=default,
            clock=clock,
            registry=registry,
            waiters=Waiters(),
            observers=Observers(observers),
        )

    def reload(self, read: Callable[[], Configuration], prepare: Callable[[Iterable[AccountSession]], None]) -> None:
        """Exchange the configuration. Raises ConfigError and leaves everything as it is when there is an error in it, or when
        `prepare` raises one."""
        self._reloads.run(lambda: self._take(read(), prepare))

    def _take(self, configuration: Configuration, prepare: Callable[[Iterable[AccountSession]], None]) -> None:
        check_default(configuration, self.default)
        checked = check(configuration, self.registry, self.clock.now()).or_raise()

        def changed(active: ActiveConfiguration) -> ActiveConfiguration:
            taken = ActiveConfiguration.of(checked, self.default, self.clock, active)
            prepare(taken.sessions.values())
            return taken

        before = self.exchange(changed)
        log_configuration(len(configuration.accounts), len(configuration.routes))
        for name in before.sessions:
            if name not in self.active.sessions and name not in self.active.former:
                log_vanished(name)

    def exchange(self, change: Callable[[ActiveConfiguration], ActiveConfiguration]) -> ActiveConfiguration:
        """Exchange what is in force for what `change` makes of it; gives back what was. A signal may come at any moment and
        its handler may exchange it too; then it is done once more."""
        with self._exchange:
            while True:
                active = self.active
                changed = change(active)
                if self.active is active:
                    self.active = changed
                    return active

    def explain(self, order: FlowOrder, account: str | None, at: datetime | None) -> Explanation:
        check_order(order, self.clock.now())
        return self.active.explain(order, account, at or self.clock.now(), self.clock.monotonic())

    def health(self) -> dict[str, AccountHealth]:
        now, today = self.clock.monotonic(), self.clock.now()
        return {name: session.health(now, today) for name, session in self.active.sessions.items()}
