"""To whom a ticket is given: what somebody asks for, as far as it can be.

a team          it is the team's, and nobody's of it; a supplier who had it has it no more
a person        of the team that is named, else of the one that has it
a supplier      whom the client's contract has an agreement with; team and owner keep it
"""

from sqlmodel import Session

from tocsin_protocol.teams import Assign
from tocsin_server.desk.record import Record
from tocsin_server.desk.standing import Receiver, Standing, Technician
from tocsin_server.desk.teams import member_of, team_row
from tocsin_server.errors import Unprocessable
from tocsin_server.estate.store import Client
from tocsin_server.sla.register import Contracts, contract_at
from tocsin_server.sla.terms import AgreementType


def receiver(session: Session, record: Record, wish: Assign, contracts: Contracts) -> Receiver:
    """Who has the ticket then; raises `NotFound`, and `Unprocessable` for what does not go together."""
    was = record.standing
    if wish.supplier is not None:
        if wish.team is not None or wish.person is not None:
            raise Unprocessable("a supplier and somebody else are named", remedy="do one after the other")
        supplier = _known_supplier(session, record, wish.supplier, contracts)
        return Receiver(was.team, was.owner, supplier, data={"supplier": supplier})
    if wish.team is None:
        if wish.person is None:
            raise Unprocessable("nobody is named", remedy="name a team, a person or a supplier")
        owner = _member(session, record, was.team, wish.person)
        return Receiver(was.team, owner, was.supplier, data={"owner": owner.login})
    team = team_row(session, wish.team).slug
    if wish.person is not None:
        owner = _member(session, record, team, wish.person)
        return Receiver(team, owner, data={"team": team, "owner": owner.login})
    return Receiver(team, _keeps(was, team), data={"team": team})


def _keeps(was: Standing, team: str) -> Technician | None:
    """A team that takes a ticket back from a supplier leaves it to whom it has been."""
    return was.owner if was.supplier and team == was.team else None


def _member(session: Session, record: Record, team: str, login: str) -> Technician:
    if not team:
        raise Unprocessable("the ticket is no team's", remedy="name the person's team, too")
    return member_of(session, team, login, record.facts.client_id)


def _known_supplier(session: Session, record: Record, name: str, contracts: Contracts) -> str:
    client = session.get_one(Client, record.facts.client_id).slug
    contract = contract_at(contracts, client, record.facts.opened_ms)
    if contract is None:
        raise Unprocessable(
            f"{client} had no contract when the ticket was opened",
            remedy="a contract has to name the supplier",
        )
    agreement = contract.with_party(name)
    if agreement is not None and agreement.type is AgreementType.UC:
        return name
    suppliers = [each.counterparty for each in contract.agreements.values() if each.type is AgreementType.UC]
    raise Unprocessable(
        f"contract {contract.id!r} names no supplier {name[:80]!r}",
        remedy=f"it has {', '.join(suppliers) or 'none'}",
    )
