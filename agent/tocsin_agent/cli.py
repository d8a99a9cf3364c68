"""The command `tocsin-agent`: enrol, run, once, check-config; ask and status for whoever sits at the host."""

import os
import sys
import time
from collections.abc import Sequence

from tocsin_agent.arguments import Arguments, Command, WrongArguments, read_arguments
from tocsin_agent.config import ETC_FILE, AgentConfig, find_config, read_config
from tocsin_agent.errors import AgentError, NotAsked, NotRunning, Unusable
from tocsin_agent.state import HOST_SOCKET, default_state, socket_of
from tocsin_agent.version import VERSION
from tocsin_protocol.wire import MAX_QUESTION_CHARACTERS

_HELP = """\
usage: tocsin-agent COMMAND [OPTION …]

Watch this host and push its readings to its tocsin server.

commands:
  enrol TOKEN [--name NAME] [--force]   redeem an enrolment token, once per host
  run                                   collect and push until SIGTERM
  once                                  print all readings in Prometheus's text format
  check-config                          check the settings and print what holds
  ask TEXT…                             ask your service desk for help; `-` reads the text from standard input
  status [--json]                       what the running agent knows and collects, and what it does not
  rotate-key                            make a new key, which the running agent tells its server

options:
  --state DIR    identity and spool (default /var/lib/tocsin-agent for root, else ~/.local/state/tocsin-agent)
  --config FILE  settings (default /etc/tocsin/agent.toml, where it exists)
  --socket PATH  where `ask` and `status` find the running agent (default /run/tocsin-agent/agent.sock for the
                 default state folder of root, else agent.sock in the state folder)
  --name NAME    the host's name for its technicians (default: its own)
  --force        replace the identity that is there
  --version, --help

examples:
  tocsin-agent enrol toc_enr_…                 with the token that `tocsin-server enrol-token create` printed
  tocsin-agent run --state /srv/tocsin-agent
  tocsin-agent once | grep node_load
  tocsin-agent check-config --config ./agent.toml
  tocsin-agent ask "the printer jams"          prints the number of your ticket; anybody at the host may
  dmesg | tail -5 | tocsin-agent ask -
  tocsin-agent status
"""
_EVERYWHERE = ("--config", "--state", "--socket")
_COMMANDS = {
    "enrol": Command(words=("TOKEN",), options=(*_EVERYWHERE, "--name"), flags=("--force",)),
    "run": Command(options=_EVERYWHERE),
    "once": Command(options=_EVERYWHERE),
    "check-config": Command(options=_EVERYWHERE),
    "rotate-key": Command(options=_EVERYWHERE),
    "ask": Command(words=("TEXT…",), options=_EVERYWHERE),
    "status": Command(options=_EVERYWHERE, flags=("--json",)),
}
_MOST_SHOWN = 120
_MOST_PIPED_BYTES = 4 * MAX_QUESTION_CHARACTERS + 1
"""One more than a question can have, so that a longer one is seen to be too long."""


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    words = sys.argv[1:] if given is None else given
    options = words[: words.index("--")] if "--" in words else words
    if "--help" in options or "-h" in options:
        print(_HELP, end="")
        return 0
    if "--version" in options:
        print(f"tocsin-agent {VERSION}")
        return 0
    try:
        return _act(read_arguments(words, _COMMANDS))
    except WrongArguments as error:
        print(f"tocsin-agent: {error} (tocsin-agent --help)", file=sys.stderr)
        return 2
    except NotRunning as error:
        print(error, file=sys.stderr)
        return 1
    except AgentError as error:
        print(f"tocsin-agent: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `tocsin-agent once | head`: whoever read has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _act(arguments: Arguments) -> int:
    if arguments.command == "ask":
        return _ask(arguments)
    if arguments.command == "status":
        return _status(arguments)
    path = find_config(arguments.options.get("--config"))
    config = read_config(path)
    state = _state(arguments, config)
    config = config._replace(socket=_socket(arguments, config) or socket_of(state))
    if arguments.command == "enrol":
        return _enrol(arguments, state)
    if arguments.command == "once":
        return _once(config)
    if arguments.command == "check-config":
        return _check_config(path, config, state)
    if arguments.command == "rotate-key":
        return _rotate_key(state)
    from tocsin_agent.daemon import run  # noqa: PLC0415 - the other commands need not carry it

    return run(state, config)


def _enrol(arguments: Arguments, state: str) -> int:
    from tocsin_agent.enrolment import enrol_host  # noqa: PLC0415 - `run` need not carry it

    identity = enrol_host(
        arguments.words[0],
        state,
        name=arguments.options.get("--name", os.uname().nodename),
        replaces="--force" in arguments.flags,
    )
    print(f"enrolled {identity.host} with {identity.url} (client {identity.client}, site {identity.site})")
    return 0


def _rotate_key(state: str) -> int:
    from tocsin_agent.identity import load  # noqa: PLC0415 - as above
    from tocsin_agent.nextkey import make_next  # noqa: PLC0415 - as above

    identity = load(state)
    try:
        is_new = make_next(state, identity.agent)
    except OSError as error:
        raise Unusable(f"a new key cannot be written in {state} ({error.strerror})") from error
    made = "a new key is made" if is_new else "a new key waits already"
    print(f"{made}: the running agent tells {identity.url} with its next push, and then uses it")
    return 0


def _once(config: AgentConfig) -> int:
    from tocsin_agent.collectors import Collection, default_collectors  # noqa: PLC0415 - as above
    from tocsin_agent.exposition import render  # noqa: PLC0415 - as above

    collection = Collection(default_collectors(version=VERSION, excludes=config.excludes))
    sys.stdout.write(render(collection.collect(time.time_ns() // 1_000_000)))
    sys.stdout.flush()
    for name, problem in collection.problems.items():
        print(f"tocsin-agent: collector {name}: {problem}", file=sys.stderr)
    return 0


def _check_config(path: str | None, config: AgentConfig, state: str) -> int:
    print(f"# {path} is right" if path else f"# there is no {ETC_FILE}: these are the defaults")
    for key, value in config._replace(state=state)._asdict().items():
        print(f"{key} = {_toml(value)}")
    return 0


def _ask(arguments: Arguments) -> int:
    from tocsin_agent.caller import ask_agent, visible  # noqa: PLC0415 - `run` need not carry it

    words = " ".join(arguments.words)
    if words == "-":
        text = sys.stdin.buffer.read(_MOST_PIPED_BYTES).decode(errors="replace")
    else:
        # What a terminal sends that is no text becomes question marks instead of an error.
        text = words.encode(errors="surrogateescape").decode(errors="replace")
    ticket = ask_agent(_sockets(arguments), text)
    print(f"ticket #{ticket} is open: {visible(text.strip().splitlines()[0])[:_MOST_SHOWN]}")
    return 0


def _status(arguments: Arguments) -> int:
    from tocsin_agent.caller import ask_status  # noqa: PLC0415 - as above

    status = ask_status(_sockets(arguments))
    if "--json" in arguments.flags:
        import json  # noqa: PLC0415 - as above

        print(json.dumps(status, indent=1))
        return 0
    from tocsin_agent.status import in_words  # noqa: PLC0415 - as above

    try:
        lines = list(in_words(status, now_ms=time.time_ns() // 1_000_000))
    except (KeyError, TypeError) as error:
        raise NotAsked(f"the running agent is not {VERSION}, which is installed: restart it") from error
    print(*lines, sep="\n")
    return 0


def _sockets(arguments: Arguments) -> list[str]:
    """Where the agent may be: where it is said to be, else that of this host before the caller's own."""
    given = arguments.options.get("--config")
    # The settings may be closed to who asks; the usual place is open to everybody.
    path = find_config(given) if given or os.access(ETC_FILE, os.R_OK) else None
    config = read_config(path)
    if named := _socket(arguments, config):
        return [named]
    state = _state(arguments, config)
    if arguments.options.get("--state") or config.state:
        return [socket_of(state)]
    return list(dict.fromkeys((HOST_SOCKET, socket_of(state))))


def _socket(arguments: Arguments, config: AgentConfig) -> str:
    given = arguments.options.get("--socket") or config.socket
    return os.path.abspath(os.path.expanduser(given)) if given else ""


def _state(arguments: Arguments, config: AgentConfig) -> str:
    given = arguments.options.get("--state") or config.state
    if not given:
        return default_state(os.environ, is_root=os.geteuid() == 0)
    return os.path.abspath(os.path.expanduser(given))


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'
    return str(value)
