"""What the desk hears of a round: each alert once, later where something withheld it, and never not at all."""

from dataclasses import dataclass, field, replace

import pytest
import structlog.testing
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_protocol.vocabulary import AlertState, SuppressionKind
from tocsin_server.alerts.alert import Alert, Change
from tocsin_server.alerts.deliveries import GRACE_MS, Deliveries
from tocsin_server.alerts.flapping import SLOT_MS
from tocsin_server.alerts.maintenance import Place
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silences import Silence
from tocsin_server.alerts.state import ACTIVE, ALARMING, Life
from tocsin_server.alerts.suppression import Circumstances

START = 1_795_694_400_000
SECOND = 1000
INACTIVE, PENDING, FIRING = AlertState.INACTIVE, AlertState.PENDING, AlertState.FIRING
UNKNOWN, RESOLVED = AlertState.UNKNOWN, AlertState.RESOLVED
DISK = Alert(
    rule_key="a.yml/g/Disk",
    expression="disk > 1",
    client_id=1,
    host_id=4,
    labels={"alertname": "Disk", "instance": "atlas"},
    fingerprint="d",
    row={},
    id=1,
)
SILENCE = Silence(3, 1, parse_matchers('alertname="Disk"'), START, START + 3_600_000, "ada", "disk swap")


@dataclass
class Around:
    """What holds, as the test says."""

    silences: list = field(default_factory=list)
    unreachable: dict = field(default_factory=dict)

    def circumstances(self, now_ms, firing, flaps):
        names = {7: "switch"}
        return Circumstances(
            now_ms, silences=self.silences, unreachable=self.unreachable, host_names=names, flaps=flaps
        )

    def place_of(self, alert):
        return Place("acme", "hq", "atlas")


@dataclass
class Desk:
    """Rounds over one alert, and what a desk has heard of them."""

    around: Around = field(default_factory=Around)
    now_ms: int = START
    alert: Alert = DISK
    heard: list = field(default_factory=list)
    delivered: AlertState = INACTIVE
    """The last state that was delivered."""

    def __post_init__(self):
        self.deliveries = Deliveries(self.around)

    def round(self, state=None, *, after_ms=SECOND, is_written=True):
        """The next round, in which the alert becomes so."""
        self.now_ms += after_ms
        was = self.alert.life.state
        changes = []
        if state is not None and state is not was:
            changes = [Change(was, replace(self.alert, life=Life(state)), self.now_ms)]
        active = [self.alert] if was in ACTIVE else []
        told = self.deliveries.weigh(changes, active, self.now_ms)
        assert len(told) <= 1
        if is_written:
            self.deliveries.settled(told)
            for change in told:
                self._hear(change)
        return self

    def _hear(self, change):
        self.alert = change.alert
        if self.alert.life.state not in ACTIVE:
            # Who was active and is no longer is forgotten; who comes again comes as a new one.
            self.alert = replace(change.alert, suppressed=(), suppressed_ms=None)
        if change.is_told:
            kinds = [reason.kind.value for reason in change.withheld]
            self.heard.append((change.alert.life.state.value, kinds, change.words))
            if not kinds:
                self.delivered = change.alert.life.state


def silenced():
    return Desk(Around(silences=[SILENCE]))


def test_what_nothing_withholds_is_delivered_as_it_comes():
    desk = Desk().round(FIRING).round(RESOLVED)

    assert desk.heard == [("firing", [], ""), ("resolved", [], "")]


def test_a_silenced_alert_carries_its_reason_and_since_when():
    desk = silenced().round(FIRING).round().round()

    assert desk.heard == [("firing", ["silence"], "")]
    assert [reason.words for reason in desk.alert.suppressed] == ["silence 3 by ada until 13:00 UTC: disk swap"]
    assert desk.alert.suppressed_ms == START + SECOND


def test_when_the_silence_ends_the_alert_is_delivered_as_it_stands():
    desk = silenced().round(FIRING).round(UNKNOWN)
    desk.around.silences = []
    desk.round().round()

    assert desk.heard == [
        ("firing", ["silence"], ""),
        ("unknown", ["silence"], ""),
        ("unknown", [], "no longer withheld (silence 3 by ada until 13:00 UTC: disk swap)"),
    ]
    assert desk.alert.suppressed == ()


def test_an_alert_that_ends_while_it_is_silenced_is_heard_of_as_ended_only():
    desk = silenced().round(FIRING).round(RESOLVED)
    desk.around.silences = []

    assert desk.round().heard == [("firing", ["silence"], ""), ("resolved", [], "")]


def test_a_silence_that_begins_later_withholds_what_comes_then():
    desk = Desk().round(FIRING)
    desk.around.silences = [SILENCE]
    desk.round().round(UNKNOWN)

    assert desk.heard == [("firing", [], ""), ("unknown", ["silence"], "")]


def test_when_what_withholds_cannot_be_told_alerts_ring_and_the_log_says_so_once(monkeypatch):
    desk = silenced().round(FIRING)
    monkeypatch.setattr(desk.around, "circumstances", lambda *_: 1 / 0)
    with structlog.testing.capture_logs() as logs:
        desk.round().round()

    assert desk.heard[-1][:2] == ("firing", [])
    assert [log["action"] for log in logs] == ["blind"]


def test_a_pending_alert_has_no_reasons():
    desk = silenced().round(PENDING)

    assert desk.alert.suppressed == ()


def test_what_ends_together_with_its_dead_parent_is_never_delivered():
    desk = Desk(Around(unreachable={4: (7,)})).round(FIRING)
    desk.around.unreachable = {}
    desk.round(after_ms=GRACE_MS // 2)
    held = desk.alert.suppressed
    desk.round(RESOLVED)

    assert [reason.kind for reason in held] == [SuppressionKind.PARENT_DOWN]
    assert desk.heard == [("firing", ["parent_down"], ""), ("resolved", [], "")]


def test_what_outlasts_its_dead_parent_is_delivered_after_some_grace():
    desk = Desk(Around(unreachable={4: (7,)})).round(FIRING)
    desk.around.unreachable = {}
    desk.round().round(UNKNOWN).round(after_ms=GRACE_MS - 2 * SECOND)
    before = len(desk.heard)
    desk.round()

    assert before == 2
    assert desk.heard[-1] == ("unknown", [], "no longer withheld (parent switch is down)")


def test_grace_begins_anew_when_the_parent_dies_again():
    desk = Desk(Around(unreachable={4: (7,)})).round(FIRING)
    desk.around.unreachable = {}
    desk.round(after_ms=GRACE_MS // 2)
    desk.around.unreachable = {4: (7,)}
    desk.round(after_ms=GRACE_MS)
    desk.around.unreachable = {}
    desk.round().round(after_ms=GRACE_MS // 2)

    assert len(desk.heard) == 1


def flap(desk, times):
    for _ in range(times):
        desk.round(FIRING, after_ms=SLOT_MS).round(RESOLVED, after_ms=SLOT_MS)
    return desk


def test_an_alert_that_flaps_is_told_of_once_and_then_withheld_whichever_way_it_goes():
    desk = flap(Desk(), 6)

    delivered = [heard for heard in desk.heard if not heard[1]]
    assert [state for state, *_ in delivered] == ["firing", "resolved"] * 3
    assert delivered[-1][2].startswith("flapping: it began or ended in 6 of the last 20")
    assert all(kinds == ["flapping"] for _, kinds, _ in desk.heard[6:])


def test_what_flaps_while_it_is_silenced_is_told_of_when_the_silence_ends():
    desk = flap(silenced(), 6).round(FIRING, after_ms=SLOT_MS)
    withheld = [kinds for _, kinds, _ in desk.heard[:-1] if not kinds]
    desk.around.silences = []
    desk.round()

    assert len(withheld) == 3  # that it has ended, before it flapped and as it began to
    assert desk.heard[-1][:2] == ("firing", [])
    assert desk.heard[-1][2].startswith("flapping: ")


def test_what_has_flapped_and_ended_is_delivered_as_ended_once_it_has_ceased_to():
    desk = flap(Desk(), 6)
    for _ in range(20):
        desk.round(after_ms=SLOT_MS)

    assert desk.heard[-1] == ("resolved", [], "it has ceased to flap")


def test_what_has_flapped_and_fires_is_delivered_as_firing_once_it_has_ceased_to():
    desk = flap(Desk(), 6).round(FIRING, after_ms=SLOT_MS)
    for _ in range(20):
        desk.round(after_ms=SLOT_MS)

    assert desk.heard[-1] == ("firing", [], "it has ceased to flap")


def test_a_pending_alert_that_has_flapped_waits_until_it_is_known_which_way_it_goes():
    desk = flap(Desk(), 6).round(PENDING, after_ms=SLOT_MS)
    for _ in range(20):
        desk.round(after_ms=SLOT_MS)
    waits = len(desk.heard)
    desk.round(INACTIVE).round()

    assert desk.heard[waits - 1][0] == "pending"
    assert desk.heard[-1] == ("inactive", [], "it has ceased to flap")


def test_what_cannot_be_written_is_weighed_again_and_counts_once():
    desk = Desk()
    for _ in range(20):
        desk.round(FIRING, after_ms=SLOT_MS, is_written=False)

    assert desk.round(FIRING).heard == [("firing", [], "")]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["rise", "fall", "lose", "stay"]),
        st.sampled_from(["", "silence", "calm", "cut", "back"]),
        st.sampled_from([SECOND, SLOT_MS, GRACE_MS]),
        st.booleans(),
    ),
    max_size=40,
)


@settings(max_examples=share(200), deadline=None)
@given(STEPS)
def test_once_nothing_withholds_it_the_desk_knows_how_the_alert_stands(steps):
    desk = Desk()
    for move, turn, after_ms, is_written in steps:
        _turn(desk.around, turn)
        desk.round(_next(desk.alert.life.state, move), after_ms=after_ms, is_written=is_written)
    desk.around.silences, desk.around.unreachable = [], {}
    for _ in range(25):
        desk.round(after_ms=SLOT_MS)

    is_ringing = desk.alert.life.state in ALARMING
    assert (desk.delivered in ALARMING) is is_ringing
    assert desk.alert.suppressed == ()


def _turn(around, turn):
    if turn in ("silence", "calm"):
        around.silences = [replace(SILENCE, ends_ms=START * 2)] if turn == "silence" else []
    if turn in ("cut", "back"):
        around.unreachable = {4: (7,)} if turn == "cut" else {}


def _next(state, move):
    if move == "rise":
        return FIRING
    if move == "lose" and state in ALARMING:
        return UNKNOWN
    return RESOLVED if move == "fall" and state in ALARMING else None


@pytest.mark.parametrize("state", [FIRING, UNKNOWN])
def test_after_a_restart_a_withheld_alert_is_delivered_when_nothing_withholds_it(state):
    desk = silenced().round(FIRING).round(state)
    desk.deliveries = Deliveries(desk.around)
    desk.around.silences = []

    assert desk.round().heard[-1][:2] == (state.value, [])
