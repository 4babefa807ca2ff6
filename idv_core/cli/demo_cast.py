"""The invented applicants of `idv demo --serve`, and how far each of them gets."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import attrs

from ..gateway.sync import Gateway
from ..ledger import Ledger, State, Verification
from ..model import Applicant, Document, Flow, FlowOrder
from ..server.wire import accounts_json
from ..testing.emulation import Scene
from ..testing.emulator import EmulatedResponse
from ..testing.specimens import PEOPLE
from ..tracker import Tracker
from .emulators import RunningEmulator

LENDING = "lending"
"""The product whose policy wants one document more than the applicants have."""

COUNTRIES = ("IN", "GB", "MX", "US", "DE", "CO", "KZ")
"""One for each vendor, in the vendors' order. The last vendor takes what is left."""

_PATIENCE = 60.0
_LOOK = 0.1
_HASTY = timedelta(seconds=3)
_LOST = EmulatedResponse(504)
_NOT_OPENED = frozenset({State.ORDERED, State.OPENING})


@attrs.frozen(kw_only=True)
class Part:
    """One applicant. `face` is whose selfie is shown; `comes` says whether they go to the vendor at all."""

    country: str
    person: str
    face: str
    product: str = "wallet"
    comes: bool = True


def _part(country: str, person: str, face: str = "", **more: str | bool) -> Part:
    return Part(country=country, person=person, face=face or person, **more)  # type: ignore[arg-type]


_PARTS = (
    _part("IN", "meera"),
    _part("GB", "luis"),
    _part("MX", "ana"),
    _part("US", "rohan"),
    _part("DE", "ana"),
    _part("CO", "ana"),
    _part("KZ", "aigerim"),
    _part("GB", "rohan", "daniyar"),
    _part("IN", "luis", "rohan"),
    _part("KZ", "daniyar", "luis"),
    _part("GB", "luis", product=LENDING),
    _part("MX", "daniyar", product=LENDING),
    _part("GB", "meera", comes=False),
    _part("DE", "rohan", comes=False),
    _part("CO", "luis", comes=False),
)
_EXPIRING = _part("US", "daniyar", comes=False)
_UNKNOWN = _part("KZ", "rohan", comes=False)


@attrs.frozen
class _Counter:
    """Hands in what belongs to one verification, so that the ledger knows of it."""

    tracker: Tracker
    id: str

    def upload(self, flow: Flow, documents: Sequence[Document]) -> Flow | None:
        return self.tracker.upload(self.id, documents).flow

    def submit(self, flow: Flow) -> Flow | None:
        return self.tracker.submit(self.id).flow


@attrs.define(kw_only=True)
class Cast:
    """Who plays, and with what.

    Args:
        running: The emulators.
        ledger: Where orders are taken.
        hasty: Makes a second ledger over the same database, whose orders expire after the time that it is given.
        gateway: Another one over the same accounts, to upload documents at vendors that take them from the platform.
        put_file: Gives a file an address.
        say: Is told how far it is.
    """

    running: list[RunningEmulator]
    ledger: Ledger
    hasty: Callable[[timedelta], Ledger]
    gateway: Gateway
    put_file: Callable[[bytes], str]
    say: Callable[[str], object]
    ordered: int = 1000

    def play(self) -> Verification | None:
        """Let everybody order, and go as far as they go.

        Returns a verification whose applicant has not yet been at the vendor's hosted page; None if no vendor has such pages.
        """
        unknown = self._lose_an_answer()
        taken = [(self.ledger.take(self._order(part)), part) for part in _PARTS]
        hasty = self.hasty(_HASTY)
        try:
            expiring = hasty.take(self._order(_EXPIRING))
        finally:
            hasty.close()
        self.say(f"{self.ordered - 1000} applicants have ordered")
        opened = self._until([one.id for one, _ in taken], lambda one: one.state not in _NOT_OPENED)
        self.say("the vendors have opened their flows; the applicants go through them")
        emulators = {vendor.name: vendor for vendor in self.running}
        with ThreadPoolExecutor(4) as pool:
            walks = [
                pool.submit(self._walk, emulators[one.flow.account], one, part)
                for one, (_, part) in zip(opened, taken, strict=True)
                if part.comes and one.flow is not None
            ]
        for walk in walks:
            walk.result()
        ending = [one.id for one, part in taken if part.comes]
        self._until([*ending, expiring.id], lambda one: one.state.is_ended)
        self._until([unknown] if unknown else [], lambda one: one.state is State.UNKNOWN)
        waiting = [self.ledger.get(one.id) for one, part in taken if not part.comes]
        return next((one for one in waiting if one.flow is not None and one.flow.link is not None), None)

    def _lose_an_answer(self) -> str | None:
        """An account that cannot be asked afterwards does not answer: nobody can tell whether it opened a flow.

        Nothing else may be on its way yet, for it is the first call that is not answered.
        """
        order = self._order(_UNKNOWN)
        account = self.gateway.explain(order).account
        able = {str(one["name"]): one["capabilities"] for one in accounts_json(self.gateway)}
        if account is None or "recover" in able[account]:
            return None
        emulator = next(vendor.emulation.emulator for vendor in self.running if vendor.name == account)
        emulator.fault("POST ", _LOST)
        taken = self.ledger.take(order)
        self._wait(lambda: emulator.calls)
        return taken.id

    def _order(self, part: Part) -> FlowOrder:
        person = PEOPLE[part.person]
        self.ordered += 1
        return FlowOrder(
            product=part.product,
            application_id=f"APP-{self.ordered}",
            applicant=Applicant(
                reference=f"CUST-{person.number}",
                given_name=person.given_name,
                family_name=person.family_name,
                email=f"{part.person}@example.org",
                country=part.country,
            ),
        )

    def _walk(self, vendor: RunningEmulator, verification: Verification, part: Part) -> None:
        scene = Scene(person=PEOPLE[part.person], face=PEOPLE[part.face], put_file=self.put_file, say=lambda text: None)
        counter = _Counter(Tracker(self.gateway, self.ledger), verification.id)
        vendor.emulation.play(counter, verification.flow, scene)  # type: ignore[arg-type]

    def _until(self, ids: Iterable[str], is_there: Callable[[Verification], bool]) -> list[Verification]:
        """Look again until it holds for all of them."""
        wanted = list(ids)
        self._wait(lambda: all(is_there(self.ledger.get(id)) for id in wanted))
        return [self.ledger.get(id) for id in wanted]

    def _wait(self, holds: Callable[[], object]) -> None:
        end = time.monotonic() + _PATIENCE
        while not holds():
            if time.monotonic() > end:
                raise TimeoutError(
                    "the demo's applicants did not come to their ends in a minute; is the machine very busy? Start it again"
                )
            time.sleep(_LOOK)
