"""Four eyes: what one person decides counts once another has confirmed it, and one person never does both."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import attrs
import pytest
from alembic import command
from alembic.config import Config
from books import account
from server.operators import V, log_in, press, visitor
from server.running import Running
from sqlalchemy import select, text

from idv_core.config import load_configuration
from idv_core.errors import ConfigError
from idv_core.ledger import migrate as migrate_ledger
from idv_core.ledger.store import connect
from idv_core.policy import Policy, ReviewRules, Threshold
from idv_core.server import migrating, reviews, tables
from idv_core.server.console import users
from idv_core.server.console.web import ConsoleOptions
from idv_core.server.migrating import migrate
from idv_core.server.problems import Conflict
from idv_core.server.reviews import ReviewState

STRICT = Policy(name="registered", verdict="ignore", review=ReviewRules(four_eyes=True))


@pytest.fixture
def accounts() -> list[Any]:
    return [account("a", "doubting")]


@pytest.fixture
def policy() -> Policy:
    return STRICT


def told_to_vendor(running: Running) -> list[bytes]:
    return [one.content for one in running.town.shops["a"].requests if one.url.path.endswith("/review")]


def told_to_platform(running: Running) -> list[Any]:
    return [one["data"]["review"] for one in running.messages if one["type"] == "verification.reviewed"]


def kinds(running: Running, id: str) -> list[tuple[str, str]]:
    events = running.ledger.events(id)
    return [(event.kind, event.actor) for event in events if "review" in event.kind]


def propose(running: Running, id: str, user: str = "ana", outcome: str = "approved") -> None:
    reviews.claim(running.ledger, id, user)
    state = reviews.decide(running.ledger, id, user, outcome, "good enough", policies=[STRICT])
    assert state is ReviewState.PROPOSED


class TestAtTheDesk:
    def test_one_proposes_another_confirms_and_only_then_it_is_told(self, running: Running, doubtful: str) -> None:
        ana, ben = log_in(running, "ana", "review"), log_in(running, "ben", "review")
        page, api = f"{V}/{doubtful}", running.client("read")
        assert api.get(f"/v1/verifications/{doubtful}").json()["review_state"] == "waiting"
        assert "a second person confirms it" in press(ana, page, f"{page}/claim").text
        after = press(ana, page, f"{page}/review", outcome="declined", reason="a mask, I think").text
        assert "Another person must confirm it" in after
        told = api.get(f"/v1/verifications/{doubtful}").json()
        assert (told["review_state"], told["review"]) == ("proposed", None)
        assert "proposed</span> by ana" in ben.get("/console/review").text
        assert (told_to_vendor(running), told_to_platform(running)) == ([], [])

        assert "a mask, I think" in press(ben, page, f"{page}/claim").text
        press(ben, page, f"{page}/confirmation", what="confirm", outcome="declined")
        running.until(doubtful, lambda _: told_to_platform(running))
        assert told_to_platform(running) == [{"outcome": "declined", "author": "ana", "confirmed_by": "ben"}]
        (sent,) = told_to_vendor(running)
        assert b'"decline"' in sent
        told = api.get(f"/v1/verifications/{doubtful}").json()
        assert (told["review_state"], told["decision"]) == ("decided", "review")
        assert (told["review"]["author"], told["review"]["confirmed_by"]) == ("ana", "ben")
        assert kinds(running, doubtful) == [
            ("review_claimed", "user:ana"),
            ("review_proposed", "user:ana"),
            ("review_claimed", "user:ben"),
            ("review_confirmed", "user:ben"),
            ("reviewed", "user:ben"),
        ]
        assert "mask" not in str([event.data for event in running.ledger.events(doubtful)])
        assert running.ledger.verify().problems == ()
        assert "Nothing waits" in ana.get("/console/review").text

    def test_what_is_sent_back_waits_again_and_may_be_proposed_by_either(self, running: Running, doubtful: str) -> None:
        ana, ben = log_in(running, "ana", "review"), log_in(running, "ben", "review")
        page = f"{V}/{doubtful}"
        propose(running, doubtful)
        press(ben, page, f"{page}/claim")
        assert press(ben, page, f"{page}/confirmation", what="send_back", reason=" ").status_code == 422
        back = press(ben, page, f"{page}/confirmation", what="send_back", reason="look at the photo").text
        assert "ben sent the last proposal back: look at the photo" in back
        assert "“look at the photo”" in back, "the reason stands in the timeline too"
        assert reviews.reason_of(running.ledger.store, doubtful, 1) is None
        assert press(ben, page, f"{page}/confirmation", what="confirm", outcome="approved").status_code == 409
        # now it is the other way round
        press(ben, page, f"{page}/claim")
        press(ben, page, f"{page}/review", outcome="declined", reason="it is another person")
        press(ana, page, f"{page}/claim")
        assert press(ana, page, f"{page}/confirmation", what="confirm", outcome="declined").status_code == 200
        decided = reviews.of(running.ledger.store, doubtful, 1)
        assert decided is not None
        assert (decided.outcome, decided.author, decided.confirmed_by) == ("declined", "ben", "ana")

    def test_only_the_proposal_that_was_seen_is_confirmed(self, running: Running, doubtful: str) -> None:
        ben = log_in(running, "ben", "review")
        page = f"{V}/{doubtful}"
        propose(running, doubtful, outcome="declined")
        press(ben, page, f"{page}/claim")
        assert press(ben, page, f"{page}/confirmation", what="confirm", outcome="approved").status_code == 409
        assert press(ben, page, f"{page}/confirmation", what="confirm").status_code == 409
        assert press(ben, page, f"{page}/confirmation", what="nonsense").status_code == 400
        assert press(ben, page, f"{page}/review", outcome="approved", reason="mine").status_code == 409
        fields = {"outcome": "another_document", "document": "passport", "reason": "unreadable"}
        assert press(ben, page, f"{page}/review", **fields).status_code == 409
        assert told_to_vendor(running) == []

    def test_who_looks_or_operates_confirms_nothing(self, running: Running, doubtful: str) -> None:
        propose(running, doubtful)
        cy = log_in(running, "cy", "look", "operate", "personal")
        path = f"{V}/{doubtful}/confirmation"
        assert press(cy, "/console", path, what="confirm", outcome="approved").status_code == 403

    def test_the_reasons_are_erased_with_the_rest(self, running: Running, doubtful: str) -> None:
        propose(running, doubtful)
        store = running.ledger.store
        assert list(reviews.reasons_of(store, doubtful).values()) == ["good enough"]
        running.ledger.erase(doubtful, actor="user:ben")
        running.until(doubtful, lambda now: now.erased_at)
        assert (reviews.reasons_of(store, doubtful), reviews.reason_of(store, doubtful, 1)) == ({}, None)
        with pytest.raises(Conflict):
            reviews.claim(running.ledger, doubtful, "ben")


class TestOnePersonNeverDoesBoth:
    def test_not_by_claiming_again_and_not_by_a_new_session(self, running: Running, doubtful: str) -> None:
        propose(running, doubtful)
        page = f"{V}/{doubtful}"
        again = log_in(running, "ana", "review")
        claimed = press(again, "/console", f"{page}/claim")
        assert (claimed.status_code, "another person" in claimed.text) == (409, True)
        assert press(again, "/console", f"{page}/confirmation", what="confirm", outcome="approved").status_code == 409

    def test_not_under_a_name_that_only_looks_like_another(self, running: Running, doubtful: str) -> None:
        propose(running, doubtful)
        users.add(running.ledger.store, "ana", ["review"], None)
        for name in ("Ana", "ANA", "ａｎａ", " ana ", "ana\u00a0"):
            with pytest.raises(Conflict, match="another person"):
                reviews.claim(running.ledger, doubtful, name)
            with pytest.raises(ConfigError):
                users.add(running.ledger.store, name, ["review"], None)

    def test_not_where_the_claim_is_older_than_the_proposal(self, running: Running, doubtful: str) -> None:
        """As if rows of an older release said so: the check is made when it is confirmed too."""
        propose(running, doubtful)
        store = running.ledger.store
        with store.begin() as con:
            con.execute(reviews.reviews.update().values(claimed_by="ANA", claimed_at=store.moment()))
        with pytest.raises(Conflict, match="another person"):
            reviews.confirm(running.ledger, doubtful, "ANA", "approved")
        with pytest.raises(Conflict, match="another person"):
            reviews.send_back(running.ledger, doubtful, "ANA", "no")


class TestBehindAProxy:
    @pytest.fixture
    def options(self) -> dict[str, Any]:
        return {"console": ConsoleOptions(user_header="X-User")}

    def test_another_case_in_the_header_is_nobody_else(self, running: Running, doubtful: str) -> None:
        users.add(running.ledger.store, "ana", ["review"], None)
        propose(running, doubtful)
        assert "Another person must confirm" in visitor(running, **{"x-user": "ana"}).get(f"{V}/{doubtful}").text
        assert visitor(running, **{"x-user": "ANA"}).get(f"{V}/{doubtful}").status_code == 403


class TestClaims:
    def test_a_claim_that_is_over_goes_to_a_third_person(
        self, running: Running, doubtful: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        propose(running, doubtful)
        ledger = running.ledger
        reviews.claim(ledger, doubtful, "ben")
        with pytest.raises(Conflict, match="ben has it"):
            reviews.claim(ledger, doubtful, "cy")
        monkeypatch.setattr("idv_core.server.reviews.CLAIMED", timedelta(0))
        reviews.claim(ledger, doubtful, "cy")
        with pytest.raises(Conflict, match="cy has it"):
            reviews.confirm(ledger, doubtful, "ben", "approved")
        with pytest.raises(Conflict, match="another person"):
            reviews.claim(ledger, doubtful, "ana")
        reviews.confirm(ledger, doubtful, "cy", "approved")

    def test_without_a_claim_nothing_is_confirmed(self, running: Running, doubtful: str) -> None:
        propose(running, doubtful)
        with pytest.raises(Conflict, match="claim it first"):
            reviews.confirm(running.ledger, doubtful, "ben", "approved")

    def test_the_next_in_the_queue_is_not_ones_own_proposal(self, running: Running, doubtful: str) -> None:
        store = running.ledger.store
        propose(running, doubtful)
        mine, others = reviews.next_for(store, "ana", "-"), reviews.next_for(store, "ben", "-")
        assert (mine, others and others.id) == (None, doubtful)
        assert reviews.next_for(store, "ben", doubtful) is None


class TestWhoWinsARace:
    def test_of_two_that_confirm_at_once_one_does(self, running: Running, doubtful: str) -> None:
        propose(running, doubtful)
        reviews.claim(running.ledger, doubtful, "ben")
        start = Barrier(4)

        def confirm(outcome: str) -> bool:
            start.wait(10)
            try:
                if outcome == "back":
                    reviews.send_back(running.ledger, doubtful, "ben", "no")
                else:
                    reviews.confirm(running.ledger, doubtful, "ben", outcome)
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(4) as pool:
            won = list(pool.map(confirm, ["approved", "back", "approved", "back"]))
        assert won.count(True) == 1
        steps = [kind for kind, _ in kinds(running, doubtful) if kind in ("review_confirmed", "review_returned")]
        assert len(steps) == 1
        sent = [one for one in running.ledger.deliveries(doubtful) if one.type == "verification.reviewed"]
        assert len(sent) == steps.count("review_confirmed")
        assert running.ledger.verify().problems == ()

    def test_of_two_that_propose_at_once_one_does(self, running: Running, doubtful: str) -> None:
        start = Barrier(2)

        def propose_as(user: str) -> bool:
            start.wait(10)
            try:
                reviews.claim(running.ledger, doubtful, user)
                reviews.decide(running.ledger, doubtful, user, "approved", "mine", policies=[STRICT])
            except Conflict:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            won = list(pool.map(propose_as, ["ana", "ben"]))
        proposed = [kind for kind, _ in kinds(running, doubtful) if kind == "review_proposed"]
        assert (won.count(True), len(proposed)) == (1, 1)


class TestOnPostgreSQL(TestWhoWinsARace):
    @pytest.fixture
    def database(self, postgresql: Callable[[], str]) -> str:
        address = postgresql()
        engine = connect(address)
        migrate(engine)
        engine.dispose()
        return address


class TestTablesOfTheFirstRelease:
    def test_a_review_that_was_decided_then_is_decided_still(self, tmp_path: Path) -> None:
        engine = connect(f"sqlite:///{tmp_path}/idv.db")
        migrate_ledger(engine)
        config = Config()
        config.set_main_option("script_location", str(Path(str(migrating.__file__)).parent / "migrations"))
        with engine.begin() as con:
            config.attributes["connection"] = con
            command.upgrade(config, "0001")
            con.execute(
                text(
                    "INSERT INTO idv_review (verification_id, round, outcome, author) VALUES ('x', 1, 'approved', 'ana')"
                )
            )
        migrate(engine)
        with engine.connect() as con:
            row = con.execute(select(tables.reviews)).mappings().one()
        engine.dispose()
        assert (row["outcome"], row["author"], row["confirmed_by"], row["proposed"]) == ("approved", "ana", None, None)


class TestWhatThePolicySays:
    def test_it_is_written_in_the_file(self, tmp_path: Any) -> None:
        file = tmp_path / "idv.toml"
        file.write_text('[policies.lending]\nreview.four_eyes = true\nverdict = "ignore"\n')
        assert load_configuration(file).policies["lending"].review.four_eyes
        for wrong in ("four_eyes = 2", 'four_eyes = "yes"', "four_eye = true"):
            file.write_text(f"[policies.lending]\nreview.{wrong}\n")
            with pytest.raises(ConfigError, match="four_eye"):
                load_configuration(file)

    def test_marks_that_were_handed_out_before_stay_what_they_are(self) -> None:
        plain = Policy(name="lending", thresholds={"liveness": Threshold(approve_at=0.9, decline_below=0.5)})
        # as the release before had it
        assert plain.mark == "lending.e2769765"
        assert Policy(name="lending", review=ReviewRules(four_eyes=True)).mark != Policy(name="lending").mark

    def test_the_stricter_of_then_and_now_counts(self, running: Running, doubtful: str) -> None:
        flow = running.ledger.get(doubtful).flow
        assert flow is not None
        lax, other = Policy(name="registered"), Policy(name="other", review=ReviewRules(four_eyes=True))
        assert reviews.needs_two(flow, [lax])
        unknown = Policy(name="x", review=ReviewRules(four_eyes=True))
        mild = attrs.evolve(flow, policy=lax)
        assert reviews.needs_two(mild, [lax, STRICT])
        assert not reviews.needs_two(mild, [lax, other])
        assert reviews.needs_two(attrs.evolve(flow, policy=None), [lax, unknown])
        assert not reviews.needs_two(None, [lax])
