"""The gallery: every figure with its paragraph and the command that makes it, in one Markdown page."""

from pathlib import Path

from timetrial.harness import UsageError
from timetrial.harness.explain.experiment import EXPERIMENTS, FIGURE, PARAGRAPH, TABLE

HEAD = """# Why the ranking is as it is

Each figure is an experiment of `timetrial explain`. Every number in the text is computed from the numbers beside the
figure. `timetrial explain --gallery` writes this page.
"""


def write_gallery(folder: Path) -> Path:
    """Write `README.md` into a folder of experiments; raises `UsageError` where it holds none."""
    text = [HEAD]
    for name, line in EXPERIMENTS.items():
        here = folder / name
        if all((here / file).is_file() for file in (FIGURE, TABLE, PARAGRAPH)):
            command = (here / TABLE).open().readline().removeprefix("# ").strip()
            text.append(
                f"\n## {name}\n\n{line[0].upper()}{line[1:]}: `{command}`\n\n![{line}]({name}/{FIGURE})\n\n"
                f"{(here / PARAGRAPH).read_text().strip()} [The numbers]({name}/{TABLE})\n"
            )
    if len(text) == 1:
        raise UsageError(f"no experiments in {folder}: timetrial explain NAME makes one")
    page = folder / "README.md"
    page.write_text("".join(text))
    return page
