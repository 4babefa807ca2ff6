"""Routing: conditions, the index against a plain walk, sticky shares, and which route makes another one useless."""

from __future__ import annotations

import hashlib
import math
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from idv_core import Applicant, FlowOrder, to_json
from idv_core.routing import Route, RoutingTable, Shadow, When, bucket_of
from idv_core.routing.choosing import choose
from idv_core.routing.conditions import Facts, covers_when, questions_of
from idv_core.routing.patterns import covers, matcher

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)  # a Monday
PERSON = Applicant(
    reference="CUST-1", name="Meera Iyer", email="meera@example.org", birthdate=date(1990, 3, 2), country="IN"
)
ORDER = FlowOrder(
    product="msme-loan",
    application_id="APP-1",
    applicant=PERSON,
    tenant="north-7",
    documents=("tax_card", "national_number_card"),
    metadata={"channel": "branch-12"},
)


def takes(when: When, order: FlowOrder = ORDER, now: datetime = NOON) -> bool:
    return RoutingTable([Route(name="r", when=when, to="a")]).find(Facts(order, now)) is not None


class TestConditions:
    @pytest.mark.parametrize(
        ("when", "expected"),
        [
            (When(), True),
            (When(product="msme-loan"), True),
            (When(product="msme-*"), True),
            (When(product="MSME-*"), False),
            (When(product=["wallet", "*-loan"]), True),
            (When(product="msme-loan?"), False),
            (When(product="m?me-*n"), True),
            (When(country="IN"), True),
            (When(country=["KZ", "CO"]), False),
            (When(tenant="north-*"), True),
            (When(tenant="south-*"), False),
            (When(documents="tax_card"), True),
            (When(documents=["passport", "national_number_card"]), True),
            (When(documents="passport"), False),
            (When(locale="en*"), True),
            (When(locale="es*"), False),
            (When(metadata={"channel": "branch-*"}), True),
            (When(metadata={"channel": "web"}), False),
            (When(metadata={"campaign": "*"}), False),
            (When(has="email"), True),
            (When(has="phone_number"), False),
            (When(has=["phone_number", "name"]), True),
            (When(has="birthdate"), True),
            (When(age_from=36), True),
            (When(age_from=37), False),
            (When(age_below=37), True),
            (When(age_below=36), False),
            (When(since=NOON), True),
            (When(since=NOON + timedelta(seconds=1)), False),
            (When(until=NOON), False),
            (When(until=NOON + timedelta(seconds=1)), True),
            (When(hours="09:00-18:00"), True),
            (When(hours="22:00-06:00"), False),
            (When(hours="17:00-18:00", zone="Asia/Kolkata"), True),
            (When(hours="22:00-12:01"), True),
            (When(product="msme-*", country="KZ"), False),
        ],
    )
    def test_each_of_them(self, when: When, expected: bool) -> None:
        assert takes(when) is expected

    def test_what_is_not_known_matches_nothing(self) -> None:
        bare = FlowOrder(product="x", application_id="APP-1", applicant=Applicant(reference="CUST-1"))
        for when in (
            When(country="IN"),
            When(tenant="*"),
            When(age_from=0),
            When(age_below=99),
            When(documents="tax_card"),
        ):
            assert not takes(when, bare)

    def test_a_birthday_counts_from_the_day_itself(self) -> None:
        assert takes(When(age_from=36), now=NOON)
        assert not takes(When(age_from=36), now=NOON - timedelta(days=1))

    def test_nothing_personal_is_shown(self) -> None:
        when = When(has="email", age_from=18, metadata={"channel": "branch-*"}, product="*")
        shown = [question.condition(Facts(ORDER, NOON)) for question in questions_of(when)]
        assert [(c.name, c.wanted, c.value) for c in shown] == [
            ("product", "*", "msme-loan"),
            ("metadata.channel", "branch-*", "***"),
            ("has", "email", "email, name, birthdate"),
            ("age", "18-", "***"),
        ]


class TestOrderOfAsking:
    def test_the_first_that_matches_wins_unless_priority_says_otherwise(self) -> None:
        routes = [
            Route(name="a", when=When(product="x*"), to="a"),
            Route(name="b", when=When(product="xy"), to="a"),
            Route(name="c", when=When(product="xyz"), priority=1, to="a"),
            Route(name="d", to="a"),
        ]
        table = RoutingTable(routes)

        def route(product: str) -> str:
            match = table.find(Facts(attrs.evolve(ORDER, product=product), NOON))
            assert match is not None
            return match.route.name

        assert [route(p) for p in ("xy", "xyz", "y")] == ["a", "c", "d"]


# A small world in which many routes overlap.

_patterns = st.text("ab*?", min_size=1, max_size=3)
_one_star = st.tuples(st.text("ab", max_size=3), st.text("ab", max_size=3)).map("*".join)
_some = st.lists(_patterns, max_size=2).map(tuple)
_whens = st.builds(
    When,
    product=_some,
    country=st.lists(st.sampled_from(["IN", "KZ"]), max_size=2).map(tuple),
    tenant=_some,
    documents=st.lists(st.sampled_from(["tax_card", "passport", "visa"]), max_size=1).map(tuple),
    locale=st.sampled_from([(), ("en",), ("e*",)]),
    metadata=st.dictionaries(
        st.sampled_from(["k", "l"]), st.lists(_patterns, min_size=1, max_size=2).map(tuple), max_size=2
    ),
    has=st.sampled_from([(), ("email",), ("email", "name")]),
    age_from=st.none() | st.sampled_from([18, 40]),
    until=st.none() | st.sampled_from([NOON, NOON + timedelta(days=1)]),
    hours=st.none() | st.sampled_from(["09:00-18:00", "18:00-09:00"]),
)
_orders = st.builds(
    FlowOrder,
    product=st.text("abc", min_size=1, max_size=3),
    application_id=st.text("aZ09-é漢 ", min_size=1, max_size=5).filter(str.strip),
    applicant=st.builds(
        Applicant,
        reference=st.just("r"),
        country=st.none() | st.sampled_from(["IN", "KZ", "CO"]),
        email=st.none() | st.just("e@example.org"),
        locale=st.sampled_from(["en", "es"]),
        birthdate=st.none() | st.sampled_from([date(2010, 1, 1), date(2000, 1, 1), date(1970, 1, 1)]),
    ),
    tenant=st.none() | st.text("abc", min_size=1, max_size=2),
    documents=st.sampled_from([(), ("tax_card",), ("visa", "invoice")]),
    metadata=st.dictionaries(st.sampled_from(["k", "l", "m"]), st.text("ab", max_size=2), max_size=2),
)
_table = st.lists(st.tuples(_whens, st.integers(0, 2)), max_size=12).map(
    lambda given_: RoutingTable(
        [
            *(Route(name=f"r{i}", when=when, priority=priority, to="a") for i, (when, priority) in enumerate(given_)),
            Route(name="else", priority=-1, refuse="no"),
        ]
    )
)


def plain(when: When, order: FlowOrder, now: datetime) -> bool:
    """The conditions once more, written down as they are said."""

    def one(patterns: tuple[str, ...], text: str | None) -> bool:
        return text is not None and any(
            re.fullmatch(re.escape(p).replace(r"\*", ".*").replace(r"\?", "."), text, re.DOTALL) for p in patterns
        )

    person = order.applicant
    age = None
    if person.birthdate:
        age = now.year - person.birthdate.year - ((now.month, now.day) < (person.birthdate.month, person.birthdate.day))
    day = when.hours == "09:00-18:00"
    return all(
        [
            not when.product or one(when.product, order.product),
            not when.country or person.country in when.country,
            not when.tenant or one(when.tenant, order.tenant),
            not when.documents or any(d.lower() in [w.lower() for w in when.documents] for d in order.documents),
            not when.locale or one(when.locale, person.locale),
            all(one(wanted, order.metadata.get(key)) for key, wanted in when.metadata.items()),
            not when.has or ("email" in when.has and person.email is not None),
            when.age_from is None or (age is not None and age >= when.age_from),
            when.until is None or now < when.until,
            when.hours is None or (9 <= now.hour < 18) == day,
        ]
    )


class TestTable:
    @given(_table, _orders, st.sampled_from([NOON, NOON + timedelta(hours=9)]))
    def test_it_finds_what_a_walk_through_all_routes_finds(
        self, table: RoutingTable, order: FlowOrder, now: datetime
    ) -> None:
        """Total and deterministic too: the last route takes what the others leave."""
        match = table.find(Facts(order, now))
        assert match is not None
        assert match.route is next(route for route in table.routes if plain(route.when, order, now))
        assert match == table.find(Facts(order, now))

    @given(_table, _orders)
    def test_the_explanation_agrees_with_the_choice(self, table: RoutingTable, order: FlowOrder) -> None:
        facts = Facts(order, NOON)
        match = table.find(facts)
        tried, passed_over = table.tried(facts, match)
        assert match is not None
        assert [route.matched for route in tried] == [False] * (len(tried) - 1) + [True]
        assert tried[-1].name == match.route.name
        assert len(tried) + passed_over == match.rank + 1
        assert all(route.matched is all(c.holds for c in route.conditions) for route in tried)

    @given(_table, _orders)
    def test_a_route_that_is_said_to_be_shadowed_never_wins(self, table: RoutingTable, order: FlowOrder) -> None:
        match = table.find(Facts(order, NOON))
        assert match is not None
        assert table.shadowed_by(match.rank) is None

    @settings(max_examples=200)
    @given(_whens, _whens)
    def test_a_route_is_shadowed_by_one_that_covers_it(self, wide: When, narrow: When) -> None:
        table = RoutingTable([Route(name="w", when=wide, to="a"), Route(name="n", when=narrow, to="a")])
        assert (table.shadowed_by(1) is not None) is covers_when(wide, narrow)
        assert covers_when(wide, wide)
        assert covers_when(When(), narrow)

    def test_thousands_are_no_more_work_than_ten(self) -> None:
        def asked(routes: int) -> int:
            table = RoutingTable(
                [
                    Route(name=f"r{i}", when=When(product=f"p{i % 50}-*", tenant=f"t{i // 50}"), to="a")
                    for i in range(routes)
                ]
            )
            facts = Facts(attrs.evolve(ORDER, product="p7-x", tenant="t0"), NOON)
            assert table.find(facts) is not None
            return len(table.candidates(facts))

        assert asked(10) == asked(10_000) == 1


class TestPatterns:
    @given(st.lists(_patterns, min_size=1, max_size=3), _patterns, st.text("abc", max_size=5))
    def test_what_is_covered_matches(self, patterns: list[str], other: str, text: str) -> None:
        if covers(patterns, [other]) and matcher(other)(text):
            assert any(matcher(pattern)(text) for pattern in patterns)

    @given(_patterns, st.text("abc", max_size=8))
    def test_matching_is_that_of_the_definition(self, pattern: str, text: str) -> None:
        assert bool(matcher(pattern)(text)) is _by_definition(pattern, text)

    def test_matching_takes_no_more_steps_than_text_times_pattern(self) -> None:
        """Without a bound this pattern would try all ways to share the letters out, of which there are 10 ** 30."""
        assert not matcher("*a" * 40 + "*b")("a" * 5000)
        assert matcher("*a" * 40 + "*b")("a" * 5000 + "b")

    @given(st.lists(_one_star, min_size=1, max_size=3), st.text("ab", max_size=4) | _one_star)
    def test_of_patterns_with_one_star_all_are_found_that_one_of_them_covers(
        self, patterns: list[str], other: str
    ) -> None:
        texts = [other.replace("*", star) for star in ("", "zzzzz")]
        assert covers(patterns, [other]) is any(all(_by_definition(p, text) for text in texts) for p in patterns)

    def test_time_grows_in_step_with_the_number_of_patterns(self) -> None:
        def steps(count: int) -> int:
            wide = tuple(f"*-loan-{number}-*" if number % 2 else f"p{number}-*" for number in range(count))
            return _calls(lambda: covers(wide, [f"p{number}-x*" for number in range(count)]))

        assert steps(2000) < 25 * steps(100)

    def test_a_file_of_patterns_is_looked_through_in_step_with_its_length(self) -> None:
        def steps(count: int) -> int:
            table = RoutingTable(
                [Route(name=f"r{n}", when=When(product=(f"*-{n}-*", f"*{n}?*b*")), to="a") for n in range(count)]
            )
            return _calls(lambda: [table.shadowed_by(rank) for rank in range(count)])

        assert steps(1200) < 5 * steps(300)

    @pytest.mark.parametrize(
        ("patterns", "other", "expected"),
        [
            (["*"], "a*b", True),
            (["a*"], "ab*", True),
            (["ab*"], "a*", False),
            (["*a"], "a?a", True),
            (["?*"], "*", False),
            (["", "?*"], "*", False),  # true, but not looked for
            (["a", "b"], "?", False),
            (["*-loan"], "car?-loan", True),
            (["a*b*c"], "a*c", False),
            (["a*c"], "a*b*c", True),
        ],
    )
    def test_examples(self, patterns: list[str], other: str, expected: bool) -> None:
        assert covers(patterns, [other]) is expected


def _by_definition(pattern: str, text: str) -> bool:
    """A table of which beginnings of the pattern match which beginnings of the text."""
    row = [True] + [False] * len(text)
    for char in pattern:
        before, row = row, [row[0] and char == "*"]
        for position, letter in enumerate(text):
            row.append(before[position + 1] or row[-1] if char == "*" else before[position] and char in ("?", letter))
    return row[-1]


def _calls(act: Callable[[], object]) -> int:
    """How many functions are called: work without a clock."""
    count = 0

    def seen(*_: object) -> None:
        nonlocal count
        count += 1

    sys.setprofile(seen)
    try:
        act()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(("wrong", "field"), [({"shadow": "b"}, "shadow"), ({"when": {"product": "x"}}, "when")])
def test_a_route_is_made_of_values(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(ValueError, match=f"^{field}: must be "):
        Route(name="all", to="a", **wrong)  # type: ignore[arg-type]


class TestShares:
    def test_the_bucket_is_what_the_documents_say(self) -> None:
        """Stable over processes, machines and Python versions: SHA-256, nothing that this process adds."""
        digest = hashlib.sha256(b"APP-10001").digest()
        assert bucket_of("APP-10001") == int.from_bytes(digest[:8], "big") * 10_000 // 2**64 == 5130
        code = "from idv_core.routing import bucket_of; print(bucket_of('APP-10001'))"
        for seed in ("1", "2"):
            run = subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
            )
            assert run.stdout.strip() == "5130"

    @given(st.text())
    def test_every_id_has_one(self, id: str) -> None:
        assert 0 <= bucket_of(id) < 10_000

    @given(st.integers(0, 100), st.integers(0, 100), st.lists(st.text(min_size=1), max_size=40))
    def test_changing_a_split_moves_only_the_ids_that_must_move(self, old: int, new: int, ids: list[str]) -> None:
        """From 90/10 to 80/20 ten in a hundred go from the one to the other, and nobody comes back."""
        before = Route(name="r", split={"a": 100 - old, "b": old})
        after = Route(name="r", split={"b": new, "a": 100 - new})
        for id in ids:
            was, is_ = first(before, id), first(after, id)
            if was != is_:
                assert (was, is_) == (("a", "b") if new > old else ("b", "a"))
                low, high = sorted([100 - old, 100 - new])
                assert low * 100 <= bucket_of(id) < high * 100

    def test_exactly_the_buckets_between_move(self) -> None:
        nine, eight = Route(name="r", split={"a": 90, "b": 10}), Route(name="r", split={"a": 80, "b": 20})
        moved = [bucket for bucket in range(10_000) if nine.owner(bucket) != eight.owner(bucket)]
        assert moved == list(range(8000, 9000))

    @given(st.dictionaries(st.text("abc", min_size=1, max_size=2), st.integers(1, 50), min_size=1, max_size=5))
    def test_shares_are_exact(self, weights: dict[str, int]) -> None:
        total = sum(weights.values())
        hundredths = {name: weight * 10_000 // total for name, weight in weights.items()}
        hundredths[min(hundredths)] += 10_000 - sum(hundredths.values())
        route = Route(name="r", split={name: share / 100 for name, share in hundredths.items()})
        counted = [route.owner(bucket) for bucket in range(10_000)]
        assert {name: counted.count(name) for name in weights} == hundredths

    def test_ten_thousand_ids_land_within_the_bound(self) -> None:
        route = Route(name="r", split={"a": 90, "b": 10})
        there = sum(first(route, f"APP-{number}") == "b" for number in range(10_000))
        assert abs(there - 1000) <= 4 * math.sqrt(10_000 * 0.1 * 0.9)


def first(route: Route, id: str) -> str:
    return choose(route, id, {}).accounts[0][0]


class TestChoosing:
    def test_the_cheapest_first_and_the_order_of_the_file_between_equals(self) -> None:
        route = Route(name="r", cheapest=("a", "b", "c"), fallback=("d",))
        choice = choose(route, "APP-1", {"a": 2.0, "b": 0.5, "c": 0.5})
        assert choice.accounts == (("b", "cost 0.5"), ("c", "cost 0.5"), ("a", "cost 2"), ("d", "fallback"))

    def test_a_split_falls_back_to_others_only(self) -> None:
        route = Route(name="r", split={"a": 90, "b": 10}, fallback=("b", "c"))
        choices = {choose(route, f"APP-{number}", {}).accounts for number in range(100)}
        assert choices == {
            (("a", "split 90 %"), ("b", "fallback"), ("c", "fallback")),
            (("b", "split 10 %"), ("c", "fallback")),
        }

    def test_a_shadow_gets_its_share_of_ids_whatever_the_split(self) -> None:
        shadow = Shadow(account="s", share=20, personal_data=True)
        route = Route(name="r", split={"a": 50, "b": 50}, shadow=shadow)
        choices = [choose(route, f"APP-{number}", {}) for number in range(4000)]
        shadowed = [choice for choice in choices if choice.shadow == "s"]
        assert abs(len(shadowed) - 800) <= 4 * math.sqrt(4000 * 0.2 * 0.8)
        at_a = sum(choice.accounts[0][0] == "a" for choice in shadowed)
        assert abs(at_a - len(shadowed) / 2) <= 4 * math.sqrt(len(shadowed)) / 2

    @given(_orders, st.integers(0, 100))
    def test_it_is_deterministic(self, order: FlowOrder, share: int) -> None:
        route = Route(name="r", split={"a": share, "b": 100 - share}, fallback=("c",))
        assert choose(route, order.application_id, {}) == choose(route, order.application_id, {})


def test_orders_carry_their_tenant() -> None:
    assert to_json(ORDER)["tenant"] == "north-7"
