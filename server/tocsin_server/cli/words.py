"""What may be typed first: which file of commands has each word, and what is said of it.

Only the file of the word that is typed is read, since some need much of the server; for a list, none is.
"""

WORDS = {
    "running": {
        "run": "serve agents and consoles until SIGTERM",
        "doctor": "look at this installation and say what is wrong",
    },
    "founding": {
        "migrate": "bring the database to this version's tables",
        "prepare": "make what 'tocsin up' needs, and print it as JSON",
    },
    "backups": {
        "backup": "write all that this server needs into one file; the file holds its keys",
        "verify": "read a backup from end to end; restore nothing",
        "restore": "make a new data folder from a backup; nothing is overwritten",
    },
    "files": {
        "rules": "check, test and backtest rule files, and say why an alert stands as it does",
        "probes": "files of devices",
        "seal": "seal a secret from standard input for the agent that is to use it",
        "suppressions": "files of what withholds deliveries",
    },
    "decisions": {"decisions": "check, test and explain the desk's decision tables"},
    "query": {"query": "ask the running server what a PromQL expression gives"},
    "history": {"history": "show what is kept of past hours, and export it"},
    "sla": {"sla": "contracts, and how the clocks of a ticket stand by them"},
    "audit": {"audit": "what was done by whom, and whether that record is whole"},
    "silences": {"silence": "times in which nobody is woken by such alerts"},
    "agents": {"agent": "the hosts' agents"},
    "tokens": {"token": "programs' ways in, each as one of the people"},
    "notices": {"notices": "what people are told of tickets by mail"},
    "people": {"user": "people who sign in"},
    "requesters": {"requester": "people of clients who ask for things"},
    "contracts": {"contract": "contracts, and those that the database keeps"},
    "teams": {"team": "people who share tickets"},
    "estate": {
        "client": "client organisations",
        "site": "clients' sites",
        "host": "watched hosts",
        "enrol-token": "invitations for agents",
    },
}
SAID = {word: said for words in WORDS.values() for word, said in words.items()}


def file_of(word: str) -> str | None:
    """The file with this command; nothing where it is none."""
    return next((file for file, words in WORDS.items() if word in words), None)
