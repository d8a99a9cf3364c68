"""The command `tocsin-agent`: enrol, run, once, check-config."""

import os
import sys
import time
from collections.abc import Sequence

from tocsin_agent.arguments import Arguments, Command, WrongArguments, read_arguments
from tocsin_agent.config import ETC_FILE, AgentConfig, find_config, read_config
from tocsin_agent.errors import AgentError
from tocsin_agent.state import default_state
from tocsin_agent.version import VERSION

_HELP = """\
usage: tocsin-agent COMMAND [OPTION …]

Watch this host and push its readings to its tocsin server.

commands:
  enrol TOKEN [--name NAME] [--force]   redeem an enrolment token, once per host
  run                                   collect and push until SIGTERM
  once                                  print all readings in Prometheus's text format
  check-config                          check the settings and print what holds

options:
  --state DIR    identity and spool (default /var/lib/tocsin-agent for root, else ~/.local/state/tocsin-agent)
  --config FILE  settings (default /etc/tocsin/agent.toml, where it exists)
  --name NAME    the host's name for its technicians (default: its own)
  --force        replace the identity that is there
  --version, --help

examples:
  tocsin-agent enrol toc_enr_…                 with the token that `tocsin-server enrol-token create` printed
  tocsin-agent run --state /srv/tocsin-agent
  tocsin-agent once | grep node_load
  tocsin-agent check-config --config ./agent.toml
"""
_EVERYWHERE = ("--config", "--state")
_COMMANDS = {
    "enrol": Command(words=("TOKEN",), options=(*_EVERYWHERE, "--name"), flags=("--force",)),
    "run": Command(options=_EVERYWHERE),
    "once": Command(options=_EVERYWHERE),
    "check-config": Command(options=_EVERYWHERE),
}


def main(given: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    words = sys.argv[1:] if given is None else given
    if "--help" in words or "-h" in words:
        print(_HELP, end="")
        return 0
    if "--version" in words:
        print(f"tocsin-agent {VERSION}")
        return 0
    try:
        return _act(read_arguments(words, _COMMANDS))
    except WrongArguments as error:
        print(f"tocsin-agent: {error} (tocsin-agent --help)", file=sys.stderr)
        return 2
    except AgentError as error:
        print(f"tocsin-agent: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `tocsin-agent once | head`: whoever read has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _act(arguments: Arguments) -> int:
    path = find_config(arguments.options.get("--config"))
    config = read_config(path)
    state = _state(arguments, config)
    if arguments.command == "enrol":
        return _enrol(arguments, state)
    if arguments.command == "once":
        return _once(config)
    if arguments.command == "check-config":
        return _check_config(path, config, state)
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
