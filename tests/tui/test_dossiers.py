"""What was read in full is kept, the latest of it; charts that have every step are left alone."""

from tests.tui import scene
from tests.tui.fake import FakeServer
from tests.tui.test_session import following

from tocsin_tui.dossiers import KEPT


async def test_of_what_was_read_the_latest_is_kept(server: FakeServer) -> None:
    server.details |= {number: scene.detail(scene.a_ticket(number)) for number in range(1, KEPT + 3)}
    async with following(server) as session:
        for number in range(1, KEPT + 1):
            session.dossiers.keep(server.details[number])
        session.dossiers.keep(server.details[1])  # looked at again
        session.dossiers.keep(server.details[KEPT + 1])
        session.dossiers.keep(server.details[KEPT + 2])

        assert len(session.dossiers.tickets) == KEPT
        assert [number in session.dossiers.tickets for number in (1, 2, 3, 4, KEPT + 2)] == [
            True, False, False, True, True,
        ]  # fmt: skip


async def test_charts_of_hosts_are_not_kept_for_ever(server: FakeServer) -> None:
    async with following(server) as session:
        for minutes in range(KEPT + 1):
            await session.dossiers.read_host_chart(1, "cpu", minutes)

        assert len(session.dossiers.host_charts) == KEPT
        assert (1, "cpu", 0) not in session.dossiers.host_charts
