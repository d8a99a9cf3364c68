"""A clone is proven by what no restart, restored snapshot or late push does: two voices that both go on."""

from itertools import chain, zip_longest

from hypothesis import given
from hypothesis import strategies as st

from tocsin_server.ingest.clones import MOST_VOICES, Conversation
from tocsin_server.ingest.origin import Origin, told

INTERVAL_S = 10.0


def origin(run: int, *, boot: bytes = b"b", machine: bytes = b"m", name: str = "atlas") -> Origin:
    return Origin(epoch=run, run=bytes([run]), machine=machine, boot=boot, name=name, address="192.0.2.7")


def heard(*voices: tuple[int, int], apart_s: float = INTERVAL_S / 2) -> Conversation:
    """After pushes of these runs and sessions, evenly apart."""
    conversation = Conversation()
    for place, (run, session) in enumerate(voices):
        conversation = conversation.after(
            bytes([session]), origin(run), now_s=place * apart_s, interval_s=INTERVAL_S
        )
    return conversation


def spoken(runs: str) -> Conversation:
    """After pushes of runs named by letters, each in the one session that it has."""
    return heard(*((ord(letter), ord(letter)) for letter in runs))


def test_one_run_is_no_clone() -> None:
    assert not spoken("A" * 100).clones


def test_a_restart_is_no_clone() -> None:
    assert not spoken("AAABBB").clones


def test_a_push_that_was_long_on_its_way_is_no_clone() -> None:
    assert not spoken("AABABBB").clones


def test_an_agent_that_is_restarted_all_the_time_is_no_clone() -> None:
    assert not spoken("ABCDEFGH").clones


def test_two_runs_that_both_go_on_are_a_clone() -> None:
    assert [each.run for each in spoken("ABABA").clones] == [b"A", b"B"]


def test_a_copy_that_wakes_beside_a_run_of_long_standing_is_noticed_at_its_third_push() -> None:
    assert not spoken("A" * 30 + "BAB").clones
    assert len(spoken("A" * 30 + "BABA").clones) == 2


def test_many_copies_of_one_template_are_noticed_though_each_hello_takes_the_session_of_another() -> None:
    runs = range(20)

    conversation = heard(*((run, round_ * 20 + run) for round_ in range(3) for run in runs), apart_s=0.5)

    assert len(conversation.clones) == 2


def test_a_copy_of_a_running_machine_is_noticed_by_its_sessions() -> None:
    conversation = heard((1, 1), (1, 2), (1, 1), (1, 2), (1, 1))

    assert conversation.clones == (origin(1),)


def test_a_session_that_is_renewed_each_time_is_no_clone() -> None:
    assert not heard(*((1, session) for session in range(200))).clones


def test_two_that_take_turns_once_an_hour_are_no_clone() -> None:
    """Somebody reverts a test machine to its snapshot, again and again."""
    assert not heard(*((run, run) for run in (1, 2) * 10), apart_s=3600).clones


@given(st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=30))
def test_runs_that_follow_each_other_are_never_a_clone_whatever_one_late_push_of_each_does(
    lives: list[tuple[int, bool]],
) -> None:
    voices: list[int] = []
    for run, (pushes, is_late) in enumerate(lives):
        own = [run] * pushes
        late = [run - 1] if is_late and run else []
        voices += [*own[:1], *late, *own[1:]]

    assert not heard(*((run, run) for run in voices)).clones


@given(
    st.integers(1, 20),
    st.lists(st.integers(1, 3), min_size=3, max_size=3),
    st.lists(st.integers(1, 3), min_size=2, max_size=2),
)
def test_two_runs_that_both_push_each_interval_are_always_noticed_within_three(
    before: int, ours: list[int], theirs: list[int]
) -> None:
    turns = chain.from_iterable(
        ([1] * own, [2] * (other or 0)) for own, other in zip_longest(ours, theirs, fillvalue=0)
    )
    voices = [1] * before + [2] + [run for turn in turns for run in turn]

    assert heard(*((run, run) for run in voices), apart_s=INTERVAL_S / 6).clones


@given(st.lists(st.tuples(st.integers(0, 250), st.integers(0, 250)), max_size=600))
def test_what_is_remembered_is_bounded(voices: list[tuple[int, int]]) -> None:
    conversation = heard(*voices, apart_s=0.01)

    for remembered in (conversation.runs, conversation.sessions):
        assert len(remembered.known) <= MOST_VOICES
        assert len(remembered.returns) <= MOST_VOICES + 1


def test_the_evidence_says_where_the_two_are_and_what_was_copied() -> None:
    there = Origin(epoch=1_700_000_000 * 10**9, name="copy", address="192.0.2.8", boot=b"c", machine=b"m")

    said = told([origin(1), there])

    assert "'atlas' at 192.0.2.7" in said
    assert "'copy' at 192.0.2.8 since 2023-11-14 22:13:20 UTC" in said
    assert "a disk or a template was copied" in said


def test_the_evidence_tells_machines_and_boots_apart() -> None:
    assert "two machines" in told([origin(1), origin(2, boot=b"c", machine=b"n")])
    assert "one machine: two agents" in told([origin(1), origin(2)])
    assert "do not say" in told([origin(1), origin(2, boot=b"")])


@given(st.integers(0, 1 << 70))
def test_no_start_that_a_hello_may_say_breaks_the_evidence(epoch: int) -> None:
    assert told([Origin(epoch=epoch)])
