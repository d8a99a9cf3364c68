"""A contract that is in force in stories and at desks of tests, whose clocks stand in 2023."""

from tests.server.sla.contracts import CONTRACT

from tocsin_server.sla.contract import Contract
from tocsin_server.sla.contractfile import read_contract


def contract_text(client: str = "acme") -> str:
    """The contract of the tests of clocks, in the words of lifecycle and routing as shipped, and since 2020.

    Its office is open in Paris from Monday to Friday, 08:00 to 18:00; `gold` is for servers.
    """
    told = (
        CONTRACT.replace("awaiting_", "")
        .replace(" team\n", "\n")
        .replace("from: 2026-01-01", "from: 2020-01-01")
    )
    return told.replace("client: acme", f"client: {client}").replace("ACME-1", f"{client.upper()}-1")


def contract_of(client: str = "acme") -> Contract:
    return read_contract(f"{client}.yml", contract_text(client), lambda name: "")
