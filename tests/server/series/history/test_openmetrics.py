"""History as OpenMetrics text: by the format's rules, whatever hosts have sent."""

import numpy as np
import pytest
from tests.server.series.history.arrays import HOUR_MS, entry, stretch

from tocsin_protocol.vocabulary import SeriesKind
from tocsin_server.series.history.days import Closing, Days
from tocsin_server.series.history.errors import TooManySamples
from tocsin_server.series.history.openmetrics import escaped, exposition, family, number
from tocsin_server.series.history.reader import Archive, Question, Wanted, Watched
from tocsin_server.series.history.stretches import Stretch

HOSTS = [Watched(7, {"instance": "atlas"}), Watched(8, {"instance": "helios"})]


def text(folder, *, most_samples: int = 1000) -> str:
    archive = Archive(folder, most_samples=most_samples)
    return "".join(exposition(archive, Question(1, HOSTS, [Wanted(None)], 0, 1 << 50)))


def write(folder, host: int, *series, values=None) -> None:
    samples = np.array(values or [[1.5]] * len(series), np.float64)
    times = HOUR_MS + np.arange(samples.shape[1]) * 10_001
    Days(folder).write([Closing(1, host, Stretch(series, times, samples))])


def test_the_samples_of_a_metric_stand_together_whatever_their_host(tmp_path):
    for host in (7, 8):
        write(
            tmp_path, host, entry("b"), entry("a_total", SeriesKind.COUNTER, cpu="0"), values=[[1, 2], [3, 4]]
        )

    assert text(tmp_path) == (
        "# TYPE a counter\n"
        'a_total{cpu="0",instance="atlas"} 3.0 1699999200.000\n'
        'a_total{cpu="0",instance="atlas"} 4.0 1699999210.001\n'
        'a_total{cpu="0",instance="helios"} 3.0 1699999200.000\n'
        'a_total{cpu="0",instance="helios"} 4.0 1699999210.001\n'
        "# TYPE b gauge\n"
        'b{instance="atlas"} 1.0 1699999200.000\n'
        'b{instance="atlas"} 2.0 1699999210.001\n'
        'b{instance="helios"} 1.0 1699999200.000\n'
        'b{instance="helios"} 2.0 1699999210.001\n'
        "# EOF\n"
    )


@pytest.mark.parametrize("most", [1, 2, 3, 4, 100])
def test_the_text_is_the_same_however_little_is_read_at_once(tmp_path, most):
    for host in (7, 8):
        write(tmp_path, host, entry("a"), entry("b"), entry("c"))

    assert text(tmp_path, most_samples=most) == text(tmp_path)


def test_a_metric_that_never_fits_is_refused_before_anything_is_told(tmp_path):
    write(tmp_path, 7, entry("a"), entry("b"), values=[[1, 2], [1, 2]])
    question = Question(1, HOSTS, [Wanted(None)], 0, 1 << 50)

    with pytest.raises(TooManySamples, match="a has more"):
        exposition(Archive(tmp_path, most_samples=1), question)


def test_a_stale_marker_is_no_sample(tmp_path):
    Days(tmp_path).write([Closing(1, 7, stretch([HOUR_MS, HOUR_MS + 1], a=[None, 2]))])

    assert text(tmp_path) == '# TYPE a gauge\na{instance="atlas"} 2.0 1699999200.001\n# EOF\n'


def test_nothing_is_a_whole_text_too(tmp_path):
    assert text(tmp_path) == "# EOF\n"


def test_what_would_end_a_label_is_escaped():
    assert escaped('C:\\\n"x"\r{}') == 'C:\\\\\\n\\"x\\"\r{}'


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (1.0, "1.0"),
        (0.1, "0.1"),
        (1e300, "1e+300"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_values_are_spelled_as_the_format_has_them(value, spelled):
    assert number(value) == spelled


@pytest.mark.parametrize(
    ("name", "kinds", "others", "told"),
    [
        ("a_total", {SeriesKind.COUNTER}, {}, ("a", "counter")),
        ("a_total", {SeriesKind.COUNTER}, {"a"}, ("a_total", "unknown")),
        ("a", {SeriesKind.COUNTER}, {}, ("a", "unknown")),
        ("_total", {SeriesKind.COUNTER}, {}, ("_total", "unknown")),
        ("a", {SeriesKind.GAUGE}, {}, ("a", "gauge")),
        ("a", {SeriesKind.GAUGE, SeriesKind.COUNTER}, {}, ("a", "unknown")),
        ("a", {SeriesKind.UNTYPED}, {}, ("a", "unknown")),
    ],
)
def test_a_family_is_named_and_typed_so_that_it_can_be_read(name, kinds, others, told):
    assert family(name, kinds, dict.fromkeys(others)) == told
