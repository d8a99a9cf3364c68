"""The files that operators write, and what of them is not in force: each mistake with its place and reason."""

from collections.abc import Iterable, Sequence

from tocsin_protocol.status import RuleProblem, ServerStatus
from tocsin_tui.format import EMPTY, Line, Tone, dim, line, strong


def heading(server: ServerStatus | None) -> Line:
    """How much is wrong, in how many files, and how many rules are in force all the same."""
    if server is None:
        return line(dim("reading the status…"))
    rules = "1 rule" if server.rules == 1 else f"{server.rules} rules"
    problems = len(server.rule_problems)
    if not problems:
        return line(("All files are in force", Tone.GOOD), f": {rules}.")
    count = "1 problem" if problems == 1 else f"{problems} problems"
    files = file_count(server.rule_problems)
    place = "1 file" if files == 1 else f"{files} files"
    return line((f"{count} in {place}", Tone.WARN), dim(f" · {rules} in force"))


def lines(server: ServerStatus | None) -> list[Line]:
    """Every problem under its file, in the server's order."""
    if server is None or not server.rule_problems:
        return []
    told: list[Line] = []
    for file, problems in _by_file(server.rule_problems).items():
        told.append(line(strong(file), hang=2))
        for problem in problems:
            told += _lines_of(problem)
        told.append(EMPTY)
    return [
        *told,
        line(dim("What was in force before a mistake stays; a file that is mended is taken within seconds.")),
    ]


def file_count(problems: Iterable[RuleProblem]) -> int:
    """In how many files something is wrong."""
    return len({problem.file for problem in problems})


def _lines_of(problem: RuleProblem) -> list[Line]:
    """Where in the file, where that is known, and why, with all its lines."""
    place = " › ".join(part for part in (problem.group, problem.rule) if part)
    reason = [text for text in problem.reason.splitlines() if text.strip()]
    first, *rest = [place, *reason] if place else reason or ["no reason is given"]
    return [line(("  ! ", Tone.WARN), first, hang=4), *(line(f"    {text}", hang=4) for text in rest)]


def _by_file(problems: Sequence[RuleProblem]) -> dict[str, list[RuleProblem]]:
    grouped: dict[str, list[RuleProblem]] = {}
    for problem in problems:
        grouped.setdefault(problem.file, []).append(problem)
    return grouped
