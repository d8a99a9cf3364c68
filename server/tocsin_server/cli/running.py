"""Running a server, and looking at it before."""

import os
from pathlib import Path

from tocsin_server import doctor, serving
from tocsin_server.cli.command import Commands, Options, command, settings
from tocsin_server.cli.founding import add_choices, prepared
from tocsin_server.errors import Misconfigured


def add_commands(commands: Commands) -> None:
    """`run, doctor`."""
    run = command(commands, "run", _run)
    run.add_argument("--host", help="address to listen on (default 127.0.0.1); beyond loopback with TLS")
    run.add_argument("--port", type=int, help="port to listen on (default 8443)")
    run.add_argument("--public-url", help="URL under which agents reach this server")
    run.add_argument(
        "--config",
        type=Path,
        help="folder with rules/, decisions/, contracts/ and the like, to use instead of the shipped",
    )
    run.add_argument("--open-metrics", action="store_true", help="metrics without a token, on loopback only")
    up = run.add_argument_group("for 'tocsin up'; the others ask for --prepare")
    up.add_argument("--prepare", type=int, metavar="FD", help="as 'prepare' first, its JSON to this descriptor")
    add_choices(up)
    examine = command(commands, "doctor", _doctor)
    examine.add_argument(
        "--config", type=Path, help="folder with rules/, decisions/, contracts/ and the like, to look at"
    )


def _run(options: Options) -> int:
    chosen = settings(options)
    if options.prepare is None:
        if options.demo or options.hosts or not options.invitation:
            raise Misconfigured(
                "--demo, --hosts and --no-invitation say what to prepare, and --prepare is not given",
                remedy="leave them out; a demo is tocsin up --demo",
            )
        return serving.run(options.data, chosen, config=options.config)

    def prepare() -> None:  # here, for most of what a process of its own would take is to read the same modules
        with os.fdopen(options.prepare, "w") as asked:
            asked.write(prepared(options, chosen.public_url))

    return serving.run(options.data, chosen, config=options.config, prepare=prepare)


def _doctor(options: Options) -> int:
    findings = doctor.examine(options.data, settings(options), config=options.config)
    for finding in findings:
        print(f"{finding.colour.value:<6} {finding.thing}: {finding.said}")
    return 1 if any(finding.colour is doctor.Colour.RED for finding in findings) else 0
