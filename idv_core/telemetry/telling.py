"""Tells the observers of one gateway."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Any

log = logging.getLogger("idv_core")


class Observers:
    """The observers of one gateway. False if there are none. Raises TypeError for an object without marked methods."""

    def __init__(self, observers: Iterable[object] = ()) -> None:
        self._all = tuple(observers)
        self._manager: Any = None
        if self._all:
            from .observers import manager_of  # pluggy is loaded for those who observe

            self._manager = manager_of(self._all)

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
