"""Where each host's pushes are, against a plain list of them, however they are spread over segments."""

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.ingest.index import Index, place
from tocsin_server.ingest.records import Mark

DAY_MS = 86_400_000
NOW_MS = 1_795_694_400_000


class Pushed(NamedTuple):
    """A push: where it is, and of each of its frames the host and the span."""

    where: int
    frames: Sequence[tuple[int, int, int]]

    def span_of(self, host_id: int) -> tuple[int, int] | None:
        spans = [(first, last) for host, first, last in self.frames if host == host_id]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None


# Most are of these hours; a clock that has gone wrong says anything.
INSTANTS = st.integers(NOW_MS, NOW_MS + 20_000) | st.integers(NOW_MS - 4 * DAY_MS, NOW_MS) | st.just(0)
FRAMES = st.lists(
    st.builds(
        lambda host, first, span: (host, first, first + span),
        st.integers(1, 3),
        INSTANTS,
        st.integers(0, 9_000),
    ),
    max_size=3,
)


@st.composite
def journals(draw: st.DrawFn) -> list[Pushed]:
    """Pushes as they were written, a few a segment."""
    segment, offset, pushes = 1, 0, []
    for frames in draw(st.lists(FRAMES, max_size=25)):
        if draw(st.integers(0, 4)) == 0:
            segment, offset = segment + draw(st.integers(1, 3)), 0
        offset += draw(st.integers(1, 70_000))
        pushes.append(Pushed(place(segment, offset), frames))
    return pushes


def index_of(pushes: Sequence[Pushed]) -> Index:
    index = Index()
    for push in pushes:
        index.add(push.where, [Mark(1, 1, 1, host, first, last, 0) for host, first, last in push.frames])
    return index


def certain(pushes: Sequence[Pushed], host_id: int, start_ms: int, end_ms: int) -> list[int]:
    """Where the host's pushes are whose span touches this time."""
    spans = [(push.where, push.span_of(host_id)) for push in pushes]
    return [where for where, span in spans if span and span[0] <= end_ms and span[1] >= start_ms]


@given(journals(), st.integers(1, 3), INSTANTS, st.integers(0, 30_000))
def test_whatever_a_host_has_in_a_time_is_found_and_only_what_is_its_own(
    pushes: list[Pushed], host_id: int, start_ms: int, length_ms: int
) -> None:
    found = index_of(pushes).places_of(host_id, start_ms, start_ms + length_ms)

    its = [push.where for push in pushes if (span := push.span_of(host_id)) and span[1] >= start_ms]
    assert set(certain(pushes, host_id, start_ms, start_ms + length_ms)) <= set(found) <= set(its)
    assert found == sorted(set(found))


@given(journals(), INSTANTS)
def test_all_that_is_new_enough_is_found_once_by_the_time_of_its_newest_frame(
    pushes: list[Pushed], start_ms: int
) -> None:
    instants = [
        (span[1], push.where)
        for push in pushes
        for host_id in (1, 2, 3)
        if (span := push.span_of(host_id)) and span[1] >= start_ms
    ]

    assert index_of(pushes).places_since(start_ms) == list(dict.fromkeys(at for _, at in sorted(instants)))


@given(journals(), st.integers(1, 30), INSTANTS)
def test_what_stood_in_segments_that_are_gone_is_forgotten_and_nothing_else(
    pushes: list[Pushed], segment: int, start_ms: int
) -> None:
    index = index_of(pushes)
    index.forget_before(segment)

    left = index_of([push for push in pushes if push.where >= place(segment, 0)])
    assert index.places_since(start_ms) == left.places_since(start_ms)
    assert [index.places_of(host, 0, NOW_MS) for host in (1, 2, 3)] == [
        left.places_of(host, 0, NOW_MS) for host in (1, 2, 3)
    ]


def test_a_push_is_found_while_its_segment_is_written_and_when_another_is() -> None:
    pushes = [Pushed(place(1, 40), [(1, NOW_MS, NOW_MS)]), Pushed(place(1, 90), [(2, NOW_MS, NOW_MS)])]
    later = Pushed(place(2, 40), [(1, NOW_MS, NOW_MS)])

    assert index_of(pushes).places_of(1, NOW_MS, NOW_MS) == [place(1, 40)]
    assert index_of([*pushes, later]).places_of(1, NOW_MS, NOW_MS) == [place(1, 40), place(2, 40)]
