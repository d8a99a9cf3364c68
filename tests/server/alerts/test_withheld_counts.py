"""The server's own metrics tell of how many alerts nobody is told, and why; after a start as well."""

from tests.server.alerts.conftest import new_judge

from tocsin_protocol.vocabulary import SuppressionKind
from tocsin_server.alerts.maintenance import Place, Window
from tocsin_server.alerts.matchertext import parse_matchers
from tocsin_server.alerts.silences import Silence
from tocsin_server.alerts.suppression import Circumstances
from tocsin_server.health import Health

HOT = "groups: [{name: hosts, rules: [{alert: Hot, expr: temperature > 80}]}]"
FOR_EVER = 253_370_764_800_000
SILENCE = Silence(3, 1, parse_matchers("instance=atlas"), 0, FOR_EVER, "ada")
WINDOW = Window("move", Place(), "a new rack", until_ms=FOR_EVER)


class Around:
    """What holds, as the test says."""

    def __init__(self, *, silences=(), windows=()):
        self.silences, self.windows = silences, windows

    def circumstances(self, now_ms, firing, flaps):
        return Circumstances(now_ms, silences=self.silences, windows=self.windows, flaps=flaps)

    def place_of(self, alert):
        return Place("acme", "berlin", "atlas")


def withheld(health):
    gauge = health.alerts_suppressed
    counts = {kind.value: gauge.labels(reason=kind.value)._value.get() for kind in SuppressionKind}
    return {kind: count for kind, count in counts.items() if count}


def fire(bell, around, *, health=None):
    """Atlas and borea are hot, with a judge who sees what is around."""
    bell.judge = new_judge(bell.head, bell.storage, health or bell.health, bell.hosts, around)
    bell.judge.restore(bell.now_ms)
    bell.rules(HOT)
    for host_id in (1, 2):
        bell.send(host_id, temperature=81.0)
    turn(bell)


def turn(bell):
    bell.now_ms += 1000
    with bell.head.lock:
        done = bell.judge.round(bell.now_ms)
    bell.judge.settle(done)


def test_alerts_are_counted_by_each_kind_that_withholds_them(bell):
    around = Around(silences=[SILENCE], windows=[WINDOW])

    fire(bell, around)
    both = withheld(bell.health)
    around.windows = ()
    turn(bell)
    one = withheld(bell.health)
    around.silences = ()
    turn(bell)

    assert (both, one, withheld(bell.health)) == ({"silence": 1, "maintenance": 2}, {"silence": 1}, {})


def test_what_is_withheld_is_counted_after_a_start_in_which_nothing_changes(bell):
    around = Around(silences=[SILENCE])
    fire(bell, around)
    health = Health()

    fire(bell, around, health=health)

    assert withheld(health) == {"silence": 1}
