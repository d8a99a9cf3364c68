"""An alert carries every reason why nobody is woken, in words, and only those that concern it."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tocsin_protocol.vocabulary import SuppressionKind
from tocsin_server.alerts import suppression
from tocsin_server.alerts.alert import Reason
from tocsin_server.alerts.flapping import Flaps
from tocsin_server.alerts.inhibition import Inhibition
from tocsin_server.alerts.intervals import Interval
from tocsin_server.alerts.maintenance import Place, Window
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silences import Silence
from tocsin_server.alerts.suppression import Circumstances, Subject, reasons
from tocsin_server.series.matchers import matches_all

ACME, GLOBEX = 1, 2
NOW = 1_795_694_400_000  # 2026-11-26 12:00 UTC, a Thursday
HOUR = 3_600_000
LABELS = {"alertname": "DiskFull", "instance": "atlas", "job": "node", "severity": "warning"}
ALERT = Subject((ACME, "f1"), LABELS, Place("acme", "berlin", "atlas"), host_id=4)


def silence(text='alertname="DiskFull"', **changes):
    told = {"client_id": ACME, "starts_ms": NOW - HOUR, "ends_ms": NOW + 2 * HOUR, "author": "ann"}
    return Silence(**{"id": 7, "matchers": parse_matchers(text), **told, "comment": "disk swap", **changes})


def window(place=ALERT.place, text="", **changes):
    told = {"from_ms": NOW - HOUR, "until_ms": NOW + 2 * HOUR}
    return Window("patches", place, "monthly", parse_matchers(text), **{**told, **changes})


def words(around, subject=ALERT):
    return [reason.words for reason in reasons(subject, around)]


def test_an_alert_that_nothing_concerns_wakes_somebody():
    assert reasons(ALERT, Circumstances(NOW)) == ()


def test_every_reason_is_told_in_words():
    flapping = Flaps(changed=0b111111, is_flapping=True)
    around = Circumstances(
        NOW,
        silences=[silence()],
        windows=[window()],
        inhibitions={
            ALERT.key: Inhibition("down", (ACME, "f2"), {"alertname": "HostDown", "instance": "atlas"})
        },
        unreachable={4: (2, 3)},
        host_names={2: "core-1", 3: "core-2"},
        flaps={ALERT.key: flapping},
    )

    assert reasons(ALERT, around) == (
        Reason(SuppressionKind.SILENCE, "7", "silence 7 by ann until 14:00 UTC: disk swap"),
        Reason(SuppressionKind.MAINTENANCE, "patches", "maintenance patches until 14:00 UTC: monthly"),
        Reason(SuppressionKind.INHIBITED, "down", "inhibited by HostDown of atlas, rule down"),
        Reason(SuppressionKind.PARENT_DOWN, "core-1", "parents core-1, core-2 are down"),
        Reason(
            SuppressionKind.FLAPPING,
            "flapping",
            "flapping: it began or ended in 6 of the last 20 stretches of 3 minutes",
        ),
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"ends_ms": NOW + 24 * HOUR}, "silence 7 by ann until 2026-11-27 12:00 UTC: disk swap"),
        ({"comment": " "}, "silence 7 by ann until 14:00 UTC"),
        ({"comment": "a\n\tb\x85c"}, "silence 7 by ann until 14:00 UTC: a b c"),
        ({"comment": "a" * 300}, f"silence 7 by ann until 14:00 UTC: {'a' * 199}…"),
    ],
)
def test_what_people_have_written_stays_on_one_line(changes, told):
    assert words(Circumstances(NOW, silences=[silence(**changes)])) == [told]


@pytest.mark.parametrize(
    "other",
    [
        silence('alertname="LoadHigh"'),
        silence('alertname="DiskFull",job="snmp"'),
        silence(client_id=GLOBEX),
        silence(starts_ms=NOW + 1),
        silence(ends_ms=NOW),
    ],
)
def test_a_silence_of_other_alerts_clients_or_times_is_no_reason(other):
    assert words(Circumstances(NOW, silences=[other])) == []


def test_a_silence_of_the_providers_is_for_all_clients():
    around = Circumstances(NOW, silences=[silence(client_id=None, id=9), silence('instance=~"at.+"', id=8)])

    assert {reason.name for reason in reasons(ALERT, around)} == {"8", "9"}


def test_an_open_window_is_told_with_its_end_only_where_that_is_when_it_closes():
    nights = (Interval(times=(range(1320, 1440),)),)
    thursdays = (Interval(weekdays=(range(4, 5),)),)

    assert words(Circumstances(NOW, windows=[window(intervals=nights)])) == []
    assert words(Circumstances(NOW, windows=[window(intervals=thursdays)])) == ["maintenance patches: monthly"]
    assert words(Circumstances(NOW, windows=[window(until_ms=NOW)])) == []


@pytest.mark.parametrize(
    ("causes", "told"),
    [
        ((2,), ["parent core-1 is down"]),
        ((2, 9), ["parents core-1, host 9 are down"]),
        ((2, 2, 2, 2, 2), ["parents core-1, core-1, core-1 and 2 more are down"]),
    ],
)
def test_dead_parents_are_named(causes, told):
    around = Circumstances(NOW, unreachable={4: causes}, host_names={2: "core-1"})

    assert words(around) == told
    assert words(around, Subject(ALERT.key, LABELS, Place("acme"))) == []


def test_an_alert_that_does_not_flap_any_more_wakes_somebody():
    assert words(Circumstances(NOW, flaps={ALERT.key: Flaps(changed=0b1)})) == []


TEXTS = st.sampled_from(['a="1"', 'a="1",b=""', 'a!=""', 'b=~"1|2"', 'b="2",a=""', 'c="",a="2"'])
SILENCES = st.builds(
    silence, TEXTS, id=st.integers(1, 99), client_id=st.sampled_from([None, ACME, GLOBEX]), starts_ms=st.just(0)
)
NAMES = st.sampled_from([None, "x", "y"])
PLACES = st.builds(Place, NAMES, NAMES, NAMES)
WINDOWS = st.builds(window, PLACES, TEXTS | st.just(""))
SUBJECTS = st.builds(
    Subject,
    st.tuples(st.sampled_from([ACME, GLOBEX]), st.just("f")),
    st.dictionaries(st.sampled_from("abc"), st.sampled_from(["", "1", "2"])),
    PLACES,
)


@given(SUBJECTS, st.lists(SILENCES, unique_by=lambda each: each.id), st.lists(WINDOWS))
def test_the_index_finds_what_looking_at_each_one_finds(subject, silences, windows):
    found = reasons(subject, Circumstances(NOW, silences=silences, windows=windows))

    client_id, labels = subject.key[0], subject.labels
    held = [
        each.id
        for each in silences
        if each.client_id in (None, client_id)
        and all(one.matches(labels.get(one.name, "")) for one in each.matchers)
    ]
    covered = [each for each in windows if each.covers(subject.place, labels)]
    told = [int(reason.name) for reason in found if reason.kind is SuppressionKind.SILENCE]
    assert sorted(told) == sorted(held)
    assert len(found) == len(held) + len(covered)


@pytest.mark.scenario
def test_ten_thousand_alerts_ask_few_matchers(monkeypatch):
    silences = [
        silence(f'alertname="A{n}",instance=~"h.+"', id=n, client_id=n % 50 if n % 10 else None)
        for n in range(1000)
    ]
    windows = [
        window(Place(f"c{client}", None, f"h{host}")) for client, host in product(range(50), range(0, 100, 10))
    ]
    alerts = [
        Subject(
            (n % 50, str(n)),
            {"alertname": f"A{n % 700}", "instance": f"h{n % 100}", "job": "node", "severity": "warning"},
            Place(f"c{n % 50}", "berlin", f"h{n % 100}"),
            n,
        )
        for n in range(10_000)
    ]
    around = Circumstances(NOW, silences=silences, windows=windows)
    asked = []
    monkeypatch.setattr(suppression, "matches_all", lambda *about: bool(asked.append(1)) or matches_all(*about))

    found = [reasons(alert, around) for alert in alerts]

    assert len(asked) < 10 * len(alerts)
    assert sum(map(bool, found)) > 1000
