"""What withholds an alert in Debian's Alertmanager 0.25 withholds it here, and where not, a reason is named.

Time intervals are not compared: Alertmanager asks the machine's clock for them.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import chain
from random import Random

import pytest
from tests.examples import share
from tests.real.alertmanager import Alertmanager, Amtool
from tests.real.worlds import HOUR_MS, Verdict, World, item, matcher, pattern, world, written

from tocsin_protocol.vocabulary import SilenceState
from tocsin_server.alerts.matchertext import parse_matchers, spelled
from tocsin_server.alerts.silences import Silence, Wish, expired, revised, silenced
from tocsin_server.errors import Unprocessable
from tocsin_server.series.matchers import Matcher, MatchKind, matches_all

pytestmark = [pytest.mark.real, pytest.mark.xdist_group("alertmanager")]

EQUAL, NOT_EQUAL, REGEX, NOT_REGEX = MatchKind
TOGETHER = 100
"""Worlds in one Alertmanager, which gets slow with many."""

PLAIN = r"[A-Za-z_][A-Za-z0-9_]*"
VALUE = r""""(?:[^"\\\n]|\\["\\n])*"|(?:[^\s{}!=~,\\"'`]|[\x1c-\x1f])+"""
BLANK = r"[ \t\n\r\f]*"
ITEM = f"{BLANK}{PLAIN}{BLANK}(?:=~|!=|!~|=){BLANK}(?:{VALUE}){BLANK}"
ONE = re.compile(ITEM)
"""A matcher that 0.25 and the grammar since 0.27, which is ours, have to take for the same."""
LIST = re.compile(f"(?P<open>{{)?(?:{ITEM}(?:,{ITEM})*(?:,{BLANK})?|{BLANK})(?(open)}})")
NOISE = "ab1=!~,{}\"'`\\\\nt\n\t x\x1fü🙂\u00a0|*"


@pytest.fixture(scope="module")
def fresh(
    require: Callable[[str, str], str], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Alertmanager]:
    """Gives one that knows nothing yet; it takes a tenth of a second to start."""
    program = require("prometheus-alertmanager", "prometheus-alertmanager")
    return lambda: Alertmanager(program, tmp_path_factory.mktemp("alertmanager"))


@pytest.fixture(scope="module")
def theirs(fresh: Callable[[], Alertmanager]) -> Iterator[Alertmanager]:
    """The one of all tests that tell their silences apart."""
    with fresh() as running:
        yield running


@pytest.fixture(scope="module")
def amtool(require: Callable[[str, str], str], theirs: Alertmanager) -> Amtool:
    return Amtool(require("amtool", "prometheus-alertmanager"), theirs.url)


def now() -> int:
    return time.time_ns() // 1_000_000


def test_the_same_alerts_are_withheld_by_the_same_silences_and_by_others(fresh):
    luck = Random(20)
    worlds = [world(str(number), luck) for number in range(share(300))]

    told: dict[tuple[str, str], Verdict] = {}
    for start in range(0, len(worlds), TOGETHER):
        with fresh() as theirs:
            told |= their_verdicts(theirs, worlds[start : start + TOGETHER])
    ours = {(each, name): verdict for each in worlds for name, verdict in each.verdicts(now()).items()}

    assert len(told) == len(ours)
    assert [
        (each, name, verdict, told[each.name, name])
        for (each, name), verdict in ours.items()
        if verdict != told[each.name, name]
    ] == []
    assert sum(each.is_inhibited for each in told.values()) > len(worlds)
    assert sum(bool(each.silences) for each in told.values()) > len(worlds)


def their_verdicts(theirs: Alertmanager, worlds: list[World]) -> dict[tuple[str, str], Verdict]:
    """What they say of each alert, by the names of its world and its own."""
    assert theirs.takes_rules(chain.from_iterable(each.rules for each in worlds))
    theirs.add_alerts(chain.from_iterable(each.alerts.values() for each in worlds))
    numbers = {
        silence_id: number for each in worlds for number, silence_id in enumerate(their_silences(theirs, each))
    }
    return {
        (each["labels"]["world"], each["labels"]["alertname"]): Verdict(
            frozenset(numbers[silence_id] for silence_id in each["status"]["silencedBy"]),
            bool(each["status"]["inhibitedBy"]),
        )
        for each in theirs.alerts('world=~".+"')
    }


def their_silences(theirs: Alertmanager, of: World) -> list[str]:
    """Their ids of the silences, made as the world says."""
    made = []
    for hush in of.hushes:
        starts_ms = now() + (HOUR_MS if hush.state is SilenceState.PENDING else 0)
        made.append(theirs.ask_silence(hush.matchers, starts_ms, now() + 2 * HOUR_MS) or "")
        if hush.state is SilenceState.EXPIRED:
            theirs.expire_silence(made[-1])
    return made


class Twins:
    """One silence there and here, and what changes have made of it."""

    def __init__(self, theirs: Alertmanager, matchers: tuple[Matcher, ...], starts_ms: int) -> None:
        self._theirs = theirs
        wish = Wish(1, matchers, starts_ms, now() + 3 * HOUR_MS, "ann")
        self._ours = [silenced(wish, new_id=0, now_ms=now())]
        self._ids = [theirs.ask_silence(matchers, starts_ms, wish.ends_ms)]

    def __len__(self) -> int:
        return len(self._ours)

    def expire(self, place: int) -> None:
        self._ours[place] = expired(self._ours[place], now())
        self._theirs.expire_silence(self._ids[place])

    def change(
        self, place: int, matchers: tuple[Matcher, ...], starts: Callable[[int], int], ends_ms: int
    ) -> tuple[int | None, int | None]:
        """Which silence stands then, here and there; None where that is refused."""
        return self._change_ours(place, matchers, starts, ends_ms), self._change_theirs(
            place, matchers, starts, ends_ms
        )

    def states(self) -> list[tuple[str, str]]:
        """Of all there have been, here and there."""
        return [
            (each.state(now()), self._theirs.silence(silence_id)["status"]["state"])
            for each, silence_id in zip(self._ours, self._ids, strict=True)
        ]

    def _change_ours(self, place, matchers, starts, ends_ms) -> int | None:
        wish = Wish(1, matchers, starts(self._ours[place].starts_ms), ends_ms, "ann")
        try:
            revision = revised(self._ours[place], wish, new_id=len(self._ours), now_ms=now())
        except Unprocessable:
            return None
        for each in filter(None, (revision.expired, revision.stands)):
            self._ours[each.id : each.id + 1] = [each]
        return revision.stands.id

    def _change_theirs(self, place, matchers, starts, ends_ms) -> int | None:
        silence_id = self._ids[place]
        shown_ms = round(
            datetime.fromisoformat(self._theirs.silence(silence_id)["startsAt"]).timestamp() * 1000
        )
        stands = self._theirs.ask_silence(matchers, starts(shown_ms), ends_ms, silence_id)
        if stands is None:
            return None
        if stands not in self._ids:
            self._ids.append(stands)
        return self._ids.index(stands)


def test_silences_change_in_place_or_are_made_anew_alike(theirs):
    luck, kept, anew, refused = Random(20), 0, 0, 0

    for _ in range(share(40)):
        matchers = parse_matchers('twin="1",b=~"x|y"')
        twins = Twins(theirs, matchers, now() + luck.choice([0, -1, 1]) * HOUR_MS)
        for _ in range(6):
            place = luck.randrange(len(twins))
            change = drawn_change(matchers, luck)
            ours, told = twins.change(place, *change)
            assert ours == told, change
            if luck.random() < 0.1:
                twins.expire(place)
            assert [each for each in twins.states() if each[0] != each[1]] == []
            kept, anew, refused = (
                kept + (ours == place),
                anew + (ours not in (place, None)),
                refused + (ours is None),
            )

    assert min(kept, anew, refused) > share(10)


def drawn_change(
    matchers: tuple[Matcher, ...], luck: Random
) -> tuple[tuple[Matcher, ...], Callable[[int], int], int]:
    """Matchers, the start by what is shown as such, and the end."""
    today = now()
    offset_ms = luck.choice([-1, 1, 2]) * HOUR_MS
    starts = luck.choice([int, int, lambda shown: shown // 1000 * 1000, lambda _: today + offset_ms])
    changed = luck.choice([matchers, matchers, matchers, matchers[::-1], matchers[:1]])
    return changed, starts, today + luck.choice([-2, 1, 3, 3, 4, 5]) * HOUR_MS


@pytest.mark.parametrize("text", ["", 'a=""', 'a=~".*"', 'a="",b=~"x?|"'])
def test_both_refuse_to_silence_everything(theirs, text):
    told = theirs.ask_silence(parse_matchers(text), now(), now() + HOUR_MS)

    assert told is None
    assert not may_silence(text)


@pytest.mark.parametrize("text", ['a!="b"', 'a!~"b"', 'a!="b",c=""'])
def test_only_alertmanager_silences_nearly_everything(theirs, text):
    """To both a silence needs a matcher that does not match the empty word; there, any negative one is such."""
    told = theirs.ask_silence(parse_matchers(text), now(), now() + HOUR_MS)
    assert told is not None
    theirs.expire_silence(told)

    assert not may_silence(text)


def may_silence(text: str) -> bool:
    try:
        silenced(Wish(1, parse_matchers(text), now(), now() + HOUR_MS, "ann"), new_id=1, now_ms=now())
    except Unprocessable:
        return False
    return True


def test_a_change_that_is_refused_leaves_the_old_one_as_it_was_here(theirs):
    """0.25 ends the old one before it looks at the new one, which later ones no longer do."""
    matchers, everything = parse_matchers("a=1"), parse_matchers('a=""')
    made = theirs.ask_silence(matchers, now(), now() + HOUR_MS)
    ours = Silence(1, 1, matchers, now(), now() + HOUR_MS, "ann")

    assert theirs.ask_silence(everything, now(), now() + HOUR_MS, made) is None
    with pytest.raises(Unprocessable):
        revised(ours, Wish(1, everything, now(), now() + HOUR_MS, "ann"), new_id=2, now_ms=now())

    assert theirs.silence(made)["status"]["state"] == "expired"
    assert ours.state(now()) is SilenceState.ACTIVE


def test_a_dot_matches_a_line_break_only_here(theirs):
    """Alertmanager's does not; ours are the matchers of PromQL, where it does since Prometheus 3."""
    assert theirs.takes_rules([])
    labels = {"alertname": "lines", "a": "1\n2"}
    theirs.add_alerts([labels])
    made = theirs.ask_silence(parse_matchers('alertname="lines",a=~"1.2"'), now(), now() + HOUR_MS)

    (told,) = theirs.alerts('alertname="lines"')

    assert made not in told["status"]["silencedBy"]
    assert matches_all(parse_matchers('a=~"1.2"'), labels)


def test_only_alertmanager_takes_rules_without_matchers_and_expressions_that_leave_their_anchors(theirs):
    assert theirs.takes_rules([{"target_matchers": ["a=1"]}])  # every alert would be a source
    assert theirs.takes_rules([{"source_matchers": ['a=~"x)|(?:y"']}])  # becomes ^(?:x)|(?:y)$

    with pytest.raises(ValueError, match="cannot be used"):
        parse_matchers('a=~"x)|(?:y"')


def test_a_text_of_one_matcher_is_taken_for_what_amtool_takes_it_for(theirs, amtool):
    luck = Random(20)
    texts = [noisy(item(any_matcher(luck), luck), luck) for _ in range(share(150))]

    told = {text: amtools_matchers(theirs, amtool, text) for text in texts}

    assert [(text, ours(text), each) for text, each in told.items() if not agree(text, each, ONE)] == []
    assert sum(each is not None and ours(text) == each for text, each in told.items()) > share(20)


def test_a_text_of_several_is_taken_for_what_the_rules_of_alertmanager_take_it_for(theirs):
    luck = Random(20)
    texts = [
        noisy(written([matcher(luck) for _ in range(luck.randint(0, 3))], luck), luck)
        for _ in range(share(200))
    ]

    told = {text: rules_matchers(theirs, text) for text in texts}

    assert [(text, ours(text), each) for text, each in told.items() if not agree(text, each, LIST)] == []
    assert sum(each is not None and ours(text) == each for text, each in told.items()) > share(20)


def any_matcher(luck: Random) -> Matcher:
    """One whose expression may be none."""
    drawn = matcher(luck)
    return Matcher(drawn.name, drawn.kind, pattern(luck)) if drawn.kind in (REGEX, NOT_REGEX) else drawn


def noisy(text: str, luck: Random) -> str:
    """The same with a few characters put in, or in the place of others."""
    for _ in range(luck.choice([0, 0, 1, 1, 2])):
        at = luck.randint(0, len(text))
        text = text[:at] + luck.choice([*NOISE, ""]) + text[at + luck.randint(0, 1) :]
    return text


def ours(text: str) -> list[Matcher] | None:
    """As rules sort them; None where the text is refused."""
    try:
        return in_order(parse_matchers(text))
    except ValueError:
        return None


def amtools_matchers(theirs: Alertmanager, amtool: Amtool, text: str) -> list[Matcher] | None:
    made = amtool.silence_id(text)
    if made is None:
        return None
    theirs.expire_silence(made)
    return in_order(theirs.matchers_of(made)[1:])


def rules_matchers(theirs: Alertmanager, text: str) -> list[Matcher] | None:
    takes = theirs.takes_rules([{"source_matchers": [text], "target_matchers": ["a=1"]}])
    return in_order(theirs.source_matchers()) if takes else None


def in_order(matchers: Iterable[Matcher]) -> list[Matcher]:
    return sorted(matchers, key=lambda each: (each.name, each.value, each.kind))


def agree(text: str, told: list[Matcher] | None, common: re.Pattern[str]) -> bool:
    """Whether both make the same of a text; off the common ground they may differ on purpose."""
    mine = ours(text)
    return mine == told or (common.fullmatch(text) is None and is_on_purpose(text, mine, told))


def is_on_purpose(text: str, mine: list[Matcher] | None, told: list[Matcher] | None) -> bool:
    """Whether this difference is one between 0.25's grammar and ours, that since 0.27 in its strict mode.

    What a value without quotes may not have any more can be said in quotes. Names may be any UTF-8, all its
    white space is such, matchers may be several and in braces. In quotes there are Go's escapes, where 0.25
    leaves a backslash as it is before anything but `\\`, `"` and `n`.
    """
    if mine is None:
        assert told is not None
        return ours(spelled(told)) == told
    if is_list(text) or re.search(r"[^\S \t\n\r\f]", text):
        return True
    if told is None:
        return not all(re.fullmatch(PLAIN, each.name) for each in mine)
    return re.search(r'\\[^"\\n]', text) is not None


def is_list(text: str) -> bool:
    return any(character in text for character in ",{}")


@pytest.mark.parametrize(
    ("text", "told", "here"),
    [
        ("a=", [("a", EQUAL, "")], None),
        ("a=b c", [("a", EQUAL, "b c")], None),
        ("a=b=c", [("a", EQUAL, "b=c")], None),
        ("a=b,c=d", [("a", EQUAL, "b,c=d")], [("a", EQUAL, "b"), ("c", EQUAL, "d")]),
        ("{a=b}", None, [("a", EQUAL, "b")]),
        ('a="1\n2"', [("a", EQUAL, "1\n2")], None),
        (r'a="\d"', [("a", EQUAL, r"\d")], None),
        (r'a="\t\x41"', [("a", EQUAL, r"\t\x41")], [("a", EQUAL, "\tA")]),
        ('"a b"=c', None, [("a b", EQUAL, "c")]),
        ("é=c", None, [("é", EQUAL, "c")]),
    ],
)
def test_where_amtool_speaks_the_older_grammar(theirs, amtool, text, told, here):
    """Ours is that of Alertmanager since 0.27."""
    for found, expected in ((amtools_matchers(theirs, amtool, text), told), (ours(text), here)):
        assert found == (expected and [Matcher(*each) for each in expected])
        assert ONE.fullmatch(text) is None


@pytest.mark.parametrize("pattern", ["(?P<ü>x)", r"\C", r"\Qx"])
def test_a_few_expressions_are_such_only_to_re2_itself(theirs, amtool, pattern):
    """Go's engine has no names of groups beyond ASCII and no single bytes, and quotes its own end."""
    (here,) = parse_matchers(spelled([Matcher("a", REGEX, pattern)]))

    assert here.matches("x")
    assert amtools_matchers(theirs, amtool, f"a=~{pattern}") is None
