import math
import struct
import threading
from itertools import count

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.examples import share

from tocsin_agent.frames import Framer
from tocsin_agent.readings import Sample, counter, gauge, labelled
from tocsin_protocol.vocabulary import SeriesKind
from tocsin_protocol.wire import STALE_BYTES, STALE_NAN, schema_id


def values_of(framer: Framer, frame) -> dict[tuple[str, tuple[str, ...]], bytes]:
    """The frame as a receiver reads it: eight bytes by series."""
    epoch, seq, of, times, matrix = msgpack.unpackb(frame.packed)
    assert (epoch, seq, of, times) == (frame.epoch, frame.seq, frame.schema_id, [frame.time_ms])
    assert of == framer.schema.id == schema_id(framer.schema.packed)
    host, series = msgpack.unpackb(framer.schema.packed)
    assert host == ""
    assert len(matrix) == 8 * len(series)
    return {
        (name, tuple(words)): matrix[8 * place : 8 * place + 8] for place, (name, _, words) in enumerate(series)
    }


def test_a_frame_is_the_contracts_to_the_byte():
    framer = Framer(7)
    samples = [gauge("node_load1", 0.25), counter("node_cpu_seconds_total", 3, labelled(mode="idle", cpu="0"))]

    frame = framer.frame(samples, time_ms=1000)

    schema = msgpack.packb(
        ["", [["node_load1", 1, []], ["node_cpu_seconds_total", 2, ["cpu", "0", "mode", "idle"]]]]
    )
    assert schema == framer.schema.packed
    assert msgpack.packb([7, 0, schema_id(schema), [1000], struct.pack("<2d", 0.25, 3)]) == frame.packed


def test_the_same_series_keep_their_schema_and_frames_count_up():
    framer = Framer(7)

    frames = [framer.frame([gauge("node_load1", load)], time_ms=load) for load in range(3)]

    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert {frame.schema_id for frame in frames} == {framer.schema.id}


def test_series_that_come_in_another_order_keep_their_places():
    framer = Framer(7)
    first, second = gauge("node_load1", 1), gauge("node_load5", 5)
    framer.frame([first, second], time_ms=0)
    before = framer.schema

    frame = framer.frame([second, first], time_ms=1)

    assert before == framer.schema
    assert struct.pack("<2d", 1, 5) == msgpack.unpackb(frame.packed)[4]


def test_an_absent_series_is_stale_to_the_bit_and_then_leaves_the_schema():
    framer = Framer(7)
    framer.frame([gauge("node_load1", 1), gauge("node_load5", 5)], time_ms=0)

    frames = [values_of(framer, framer.frame([gauge("node_load1", 1)], time_ms=1)) for _ in range(7)]

    assert frames[0]["node_load5", ()] == STALE_BYTES
    assert frames[5]["node_load5", ()] == STALE_BYTES
    assert list(frames[6]) == [("node_load1", ())]


def test_a_devices_frames_name_it_and_share_the_runs_numbering():
    numbers = count()
    own, switch = Framer(7, numbers=numbers), Framer(7, host="switch-1", numbers=numbers)

    frames = [framer.frame([gauge("probe_success", 1)], time_ms=0) for framer in (own, switch, own)]

    assert [frame.seq for frame in frames] == [0, 1, 2]
    assert msgpack.unpackb(own.schema.packed) == ["", [["probe_success", 1, []]]]
    assert msgpack.unpackb(switch.schema.packed) == ["switch-1", [["probe_success", 1, []]]]


def test_no_number_is_given_twice_however_many_threads_ask():
    numbers = count()
    seqs: list[list[int]] = [[] for _ in range(8)]
    start = threading.Barrier(len(seqs))

    def work(place: int) -> None:
        framer = Framer(7, host=f"switch-{place}", numbers=numbers)
        start.wait()
        seqs[place] += [framer.frame([gauge("probe_success", 1)], time_ms=0).seq for _ in range(500)]

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(seqs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(seq for of_one in seqs for seq in of_one) == list(range(8 * 500))


def test_a_series_that_comes_back_costs_no_new_schema():
    framer = Framer(7)
    both = [gauge("node_load1", 1), gauge("node_load5", 5)]
    framer.frame(both, time_ms=0)
    before = framer.schema

    framer.frame(both[:1], time_ms=1)
    frame = framer.frame(both, time_ms=2)

    assert before == framer.schema
    assert struct.pack("<2d", 1, 5) == msgpack.unpackb(frame.packed)[4]


def test_a_new_series_makes_a_new_schema_at_once():
    framer = Framer(7)
    framer.frame([gauge("node_load1", 1)], time_ms=0)

    frame = framer.frame([gauge("node_load1", 1), gauge("node_load5", 5)], time_ms=1)

    assert {("node_load1", ()), ("node_load5", ())} == set(values_of(framer, frame))


def test_absent_series_are_forgotten_at_once_where_they_would_burst_the_schema():
    framer = Framer(7, most_series=2)
    framer.frame([gauge("a", 1), gauge("b", 1)], time_ms=0)

    frame = framer.frame([gauge("b", 1), gauge("c", 1)], time_ms=1)

    assert list(values_of(framer, frame)) == [("b", ()), ("c", ())]


def test_a_reading_that_is_not_a_number_is_not_taken_for_stale():
    framer = Framer(7)

    frame = framer.frame([gauge("node_hwmon_temp_celsius", math.nan)], time_ms=0)

    assert values_of(framer, frame)["node_hwmon_temp_celsius", ()] != STALE_BYTES


def test_a_series_that_stands_twice_is_sent_once():
    framer = Framer(7)

    frame = framer.frame([gauge("a", 1), gauge("a", 2)], time_ms=0)

    assert {("a", ()): struct.pack("<d", 2)} == values_of(framer, frame)


@settings(max_examples=share(60))
@given(
    st.lists(
        st.dictionaries(
            st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "0", "1"])),
            st.floats(allow_nan=False),
            min_size=1,
            max_size=6,
        ),
        min_size=1,
        max_size=12,
    )
)
def test_every_present_value_arrives_and_every_other_is_stale(collections):
    framer = Framer(7)

    for collection in collections:
        samples = [
            Sample(name, SeriesKind.GAUGE, labelled(x=text), value)
            for (name, text), value in collection.items()
        ]
        arrived = values_of(framer, framer.frame(samples, time_ms=0))

        sent = {(name, ("x", text) if text else ()): value for (name, text), value in collection.items()}
        assert {key: struct.pack("<d", value) for key, value in sent.items()} == {
            key: arrived[key] for key in sent
        }
        assert {STALE_BYTES} >= {value for key, value in arrived.items() if key not in sent}
    assert math.isnan(STALE_NAN)
