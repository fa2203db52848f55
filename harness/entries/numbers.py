"""The numbers in sentences about the committed results: computed from the records, and inserted between marks.

A mark is `<!--= QUANTITY SUITE/RULESET ...-->NUMBER<!--/-->`, of which a reader sees the number. People write the
sentences; what stands between the marks is written by `timetrial submit`.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.entries.quantities import compute
from timetrial.harness.planning import places
from timetrial.harness.records.files import write_atomically
from timetrial.harness.report.boards import Board

MARK = re.compile(r"<!--= *(?P<asked>[^<>]+?) *-->(?P<said>.*?)<!--/-->", re.DOTALL)
LINE_START = re.compile(r"[\s>*-]*")


def files_with_numbers(root: Path) -> list[Path]:
    """List the texts that hold marks: the README of `root` and, where that is `results/`, that of the clone."""
    files = (root / "README.md", *([root.parent / "README.md"] if root == places.RESULTS else []))
    return [file for file in files if file.is_file() and "<!--=" in file.read_text()]


def boards_by_name(boards: list[Board]) -> dict[str, Board]:
    return {f"{board.suite}/{board.ruleset}": board for board in boards}


def find_wrong_numbers(file: Path, boards: Mapping[str, Board]) -> list[str]:
    """Say which numbers of a text are not what the records give, and which marks are no good Markdown."""
    text = file.read_text()
    problems = []
    for mark in MARK.finditer(text):
        line = f"{file} line {text.count(chr(10), 0, mark.start()) + 1}"
        try:
            computed = compute(mark["asked"], boards)
        except UsageError as error:
            problems.append(f"{line}: {error}")
            continue
        if computed != mark["said"]:
            problems.append(
                f"{line}: {mark['asked']} is {computed.strip()!r} in the records, and {mark['said'].strip()!r} here: "
                "`timetrial submit --rewrite` inserts it; then read the sentence again"
            )
        before = text[text.rfind("\n", 0, mark.start()) + 1 : mark.start()]
        if LINE_START.fullmatch(before) and not computed.startswith("\n"):
            problems.append(f"{line}: a mark begins the line, which makes it HTML in Markdown: move it into the line")
    unmatched = MARK.sub("", text)
    if "<!--=" in unmatched or "<!--/-->" in unmatched:
        problems.append(f"{file}: a mark has a beginning or an end alone: write <!--= QUANTITY ...-->NUMBER<!--/-->")
    return problems


def insert_numbers(file: Path, boards: Mapping[str, Board]) -> bool:
    """Write what the records give between the marks of a text; say whether that changed it.

    A mark that asks for what the records do not have stays as it is, for `timetrial submit --check` to name.
    """

    def inserted_at(mark: re.Match[str]) -> str:
        try:
            return f"<!--= {mark['asked']}-->{compute(mark['asked'], boards)}<!--/-->"
        except UsageError:
            return mark[0]

    text = file.read_text()
    inserted = MARK.sub(inserted_at, text)
    if inserted != text:
        write_atomically(file, inserted)
    return inserted != text
