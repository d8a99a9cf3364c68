"""The command `tocsin-agent`: enrol, run, once, check-config."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tocsin_agent.config import AgentConfig, find_config, read_config
from tocsin_agent.errors import AgentError
from tocsin_agent.state import default_state
from tocsin_agent.version import VERSION

_EXAMPLES = """\
examples:
  tocsin-agent enrol toc_enr_…             this host, under its own name, with the token that the server made
  tocsin-agent enrol toc_enr_… --name web1
  tocsin-agent run                         collect and push until SIGTERM
  tocsin-agent once | grep node_load       what would be sent now, in Prometheus's text format
  tocsin-agent check-config                whether /etc/tocsin/agent.toml is right, and what holds
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.act(options))
    except AgentError as error:
        print(f"tocsin-agent: {error}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        # `tocsin-agent once | head`: whoever read has read enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="tocsin-agent",
        description="Watch this host and push its readings to its tocsin server.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"tocsin-agent {VERSION}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument(
        "--config", type=Path, help="settings (default /etc/tocsin/agent.toml, where it exists)"
    )
    with_state = argparse.ArgumentParser(add_help=False, parents=[shared])
    with_state.add_argument(
        "--state",
        type=Path,
        help="state folder (default /var/lib/tocsin-agent for root, else ~/.local/state/…)",
    )
    enrol = commands.add_parser("enrol", parents=[with_state], help="redeem an enrolment token, once per host")
    enrol.add_argument("token", help="what `tocsin-server enrol-token create` printed")
    enrol.add_argument("--name", default=os.uname().nodename, help="the host's name (default %(default)s)")
    enrol.add_argument("--force", action="store_true", help="replace the identity that is there")
    enrol.set_defaults(act=_enrol)
    run = commands.add_parser("run", parents=[with_state], help="collect and push until SIGTERM")
    run.set_defaults(act=_run)
    once = commands.add_parser("once", parents=[shared], help="print all readings in Prometheus's text format")
    once.set_defaults(act=_once)
    check = commands.add_parser("check-config", parents=[with_state], help="check the settings and print them")
    check.set_defaults(act=_check_config)
    return parser


def _enrol(options: argparse.Namespace) -> int:
    from tocsin_agent.enrolment import enrol_host  # noqa: PLC0415 - `run` need not carry it

    state = _state(options, _config(options))
    identity = enrol_host(options.token, state, name=options.name, replaces=options.force)
    print(f"enrolled {identity.host} with {identity.url} (client {identity.client}, site {identity.site})")
    return 0


def _run(options: argparse.Namespace) -> int:
    from tocsin_agent.daemon import run  # noqa: PLC0415 - the other commands need not carry it

    config = _config(options)
    return run(_state(options, config), config)


def _once(options: argparse.Namespace) -> int:
    from tocsin_agent.collectors import Collection, default_collectors  # noqa: PLC0415 - as above
    from tocsin_agent.exposition import render  # noqa: PLC0415 - as above

    collection = Collection(default_collectors(version=VERSION, excludes=_config(options).excludes))
    sys.stdout.write(render(collection.collect(time.time_ns() // 1_000_000)))
    sys.stdout.flush()
    for name, problem in collection.problems.items():
        print(f"tocsin-agent: collector {name}: {problem}", file=sys.stderr)
    return 0


def _check_config(options: argparse.Namespace) -> int:
    path = find_config(options.config)
    config = read_config(path)
    print(f"# {path} is right" if path else "# there is no /etc/tocsin/agent.toml: these are the defaults")
    effective = config._replace(state=str(_state(options, config)))
    for key, value in effective._asdict().items():
        print(f"{key} = {_toml(value)}")
    return 0


def _config(options: argparse.Namespace) -> AgentConfig:
    return read_config(find_config(options.config))


def _state(options: argparse.Namespace, config: AgentConfig) -> Path:
    given = options.state or (Path(config.state) if config.state else None)
    if given is None:
        return default_state(os.environ, is_root=os.geteuid() == 0)
    return Path(os.path.abspath(given.expanduser()))  # noqa: PTH100 - links stay what the owner made them


def _toml(value: object) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'
    return str(value)
