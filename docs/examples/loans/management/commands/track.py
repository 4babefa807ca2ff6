"""`python -m django track`: beside the web server, in as many processes as you like."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from loans.verification import take_missing, tracker


class Command(BaseCommand):
    help = "Open, follow and decide all verifications, until SIGTERM or Ctrl-C."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="do what is due now, and end")

    def handle(self, *args: Any, once: bool, **options: Any) -> None:
        take_missing()
        if once:
            tracker().step()
            return
        stopped = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopped.set())
        with tracker():
            stopped.wait()
