"""Run the benchmarks named on the command line, or all: `python -m bench [NAME …]`."""

import importlib
import sys

NAMES = (
    "agent_cycle",
    "push",
    "evaluate",
    "pack",
    "tickets",
    "breach",
    "console",
    "varbinds",
    "history",
    "decisions",
    "desk",
    "clocks",
)


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in NAMES]
    if unknown:
        print(f"no benchmark is called {unknown[0]!r}; there are: {', '.join(NAMES)}", file=sys.stderr)
        return 2
    for name in names or NAMES:
        print(f"\n== {name}", flush=True)
        importlib.import_module(f"bench.{name}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
