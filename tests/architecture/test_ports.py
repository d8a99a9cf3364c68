"""Ports that tests give away are of their own process, and nobody else's."""

import socket
from contextlib import closing

from tests.ports import free_port, stretch

SAME = 4711


def test_a_process_is_given_no_port_of_another() -> None:
    with closing(stretch(SAME)) as one, closing(stretch(SAME)) as other:
        ports = {next(one) for _ in range(400)}, {next(other) for _ in range(400)}

    assert not ports[0] & ports[1]
    assert all(len(each) == 199 for each in ports)


def test_a_port_that_somebody_listens_on_is_not_given() -> None:
    taken = free_port()
    with socket.create_server(("127.0.0.1", taken)):
        given = {free_port() for _ in range(250)}

    assert taken not in given
    assert given
