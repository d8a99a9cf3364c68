"""Teams that the table `routing` and the contracts name, and that there are not. Pure.

A ticket goes to such a team all the same: nobody is in it, and no one of it can be given a ticket. Before the
first team is made nothing is told, since a desk can do without teams.
"""

from collections.abc import Collection, Iterator

from tocsin_protocol.status import RuleProblem
from tocsin_server.decisions.folder import Deciders
from tocsin_server.errors import suggestion
from tocsin_server.sla.register import Contracts
from tocsin_server.sla.terms import AgreementType

_TABLE = "routing"
_OUTPUT = "team"


def missing_teams(tables: Deciders, contracts: Contracts, teams: Collection[str]) -> Iterator[RuleProblem]:
    """What is told of each, with the row or the contract that names it."""
    if not teams:
        return
    for row, team in _routed(tables):
        if team and team not in teams:
            yield RuleProblem(file=f"{_TABLE}.csv", rule=row, reason=_reason(team, teams))
    for contract in (each for theirs in contracts.values() for each in theirs):
        for agreement in contract.agreements.values():
            if agreement.type is AgreementType.OLA and agreement.counterparty not in teams:
                reason = f"agreements/{agreement.name}: {_reason(agreement.counterparty, teams)}"
                yield RuleProblem(file="contracts", rule=contract.id, reason=reason)


def _routed(tables: Deciders) -> Iterator[tuple[str, str]]:
    """Each row of `routing` by its id, and the team that it answers."""
    if _TABLE not in tables:
        return
    table = tables[_TABLE].table
    place = [column.name for column in table.outputs].index(_OUTPUT)
    for row in table.rows:
        yield row.id, str(row.answer[place])


def _reason(team: str, teams: Collection[str]) -> str:
    return f"there is no team {team!r}{suggestion(team, sorted(teams))}"
