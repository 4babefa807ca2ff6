"""What a forked process must replace: connections, locks and queues of its parent."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forkable(Protocol):
    """Whoever holds something that only the process that made it may use."""

    def after_fork(self) -> None:
        """Called in the child, where no other thread runs: start fresh."""


_owners: weakref.WeakSet[Forkable] = weakref.WeakSet()
_abandoned: list[object] = []


def renew_after_fork(owner: Forkable) -> None:
    """Have `after_fork` called in every process that is forked from this one, as long as the owner lives."""
    _owners.add(owner)


def abandon(thing: object) -> None:
    """Keep something of the parent's for ever, so that collecting it does not touch what the parent still uses: an event
    loop's selector is shared between the two."""
    _abandoned.append(thing)


def _in_child() -> None:
    for owner in list(_owners):
        owner.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
