"""The files that operators write: rules are checked and tested, devices checked, their secrets sealed."""

import getpass
import sys
from pathlib import Path

from tocsin_server import doctor
from tocsin_server.alerts.unittest import check_rules, run_rule_tests
from tocsin_server.cli.command import Commands, Options, command, group, write
from tocsin_server.config import find_config
from tocsin_server.errors import Misconfigured
from tocsin_server.estate.devices import DeviceFileErrors, load_device_files
from tocsin_server.estate.sealing import MOST_SECRET_BYTES, key_of, seal

PROBES_EXAMPLES = """\
examples:
  tocsin-server probes check
  tocsin-server probes check config/probes/acme.yml
"""
SEAL_EXAMPLES = """\
examples:
  tocsin-server seal --client acme --host atlas               (asks, and shows nothing)
  tocsin-server seal --client acme --host atlas < id_ed25519  (a private key for SSH)

The line that is printed goes into config/probes. Only the agent of that host can open it.
"""


def add_rules(commands: Commands) -> None:
    """`rules check, rules test`."""
    rules = group(commands, "rules", "check and test rule files")
    check = command(
        rules, "check", _rules_check, "load Prometheus rule files and say what is wrong", data=False
    )
    check.add_argument("files", type=Path, nargs="+", metavar="FILE")
    test = command(rules, "test", _rules_test, "run unit tests in promtool's format", data=False)
    test.add_argument("files", type=Path, nargs="+", metavar="FILE")
    test.add_argument(
        "--as-served", action="store_true", help="missing data is unknown, as on the server (promtool resolves)"
    )


def add_probes(commands: Commands) -> None:
    """`probes check, seal`."""
    check = command(
        group(commands, "probes", "files of devices"),
        "check",
        _probes_check,
        "read files of devices and say what is wrong",
        data=False,
        examples=PROBES_EXAMPLES,
    )
    check.add_argument("files", type=Path, nargs="*", metavar="FILE", help="default: config/probes")
    check.add_argument("--config", type=Path, help="folder with probes/ to look at")
    sealing = command(
        commands,
        "seal",
        _seal,
        "seal a secret from standard input for the agent that is to use it",
        examples=SEAL_EXAMPLES,
    )
    sealing.add_argument("--client", required=True, help="slug of the client")
    sealing.add_argument("--host", required=True, help="the host whose agent probes the device")


def _rules_check(options: Options) -> int:
    report = check_rules(options.files)
    print(report.text)
    return 0 if report.passed else 1


def _rules_test(options: Options) -> int:
    report = run_rule_tests(options.files, as_served=options.as_served)
    print(report.text)
    return 0 if report.passed else 1


def _probes_check(options: Options) -> int:
    folder = find_config("probes", options.config)
    try:
        found = load_device_files(options.files or ([] if folder is None else folder))
    except DeviceFileErrors as errors:
        print("\n".join(map(str, errors.errors)))
        return 1
    except OSError as error:
        raise Misconfigured(f"{error.filename} cannot be read ({error.strerror})") from error
    for file in found:
        print(f"{file.file}: {len(file.devices)} of {file.client}, probed by {file.agent} at {file.site}")
    devices = sum(len(file.devices) for file in found)
    print(f"{doctor.counted(devices, 'device')} in {doctor.counted(len(found), 'file')}")
    return 0


def _seal(options: Options) -> int:
    key = write(options, lambda s: key_of(s, options.client, options.host))
    print(seal(_secret(), key))
    return 0


def _secret() -> bytes:
    """What is typed without being shown, or all of standard input but for the line's end."""
    if sys.stdin.isatty():
        return getpass.getpass("secret: ").encode()
    return sys.stdin.buffer.read(MOST_SECRET_BYTES + 3).removesuffix(b"\n").removesuffix(b"\r")
