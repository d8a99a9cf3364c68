"""The benchmark's table is what it says, and each of its rows decides something."""

from bench.decisions import routing, tickets

from tocsin_server.decisions.tablefile import read_table


def test_the_table_has_25_rows_without_a_fault_and_its_tickets_meet_them():
    decider = read_table("routing.csv", routing())

    met = {row for ticket in tickets(5000) for row in decider.decide(ticket).rows}

    assert met == {row.id for row in decider.table.rows}
    assert len(met) == 25
