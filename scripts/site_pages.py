"""A hook of mkdocs (see mkdocs.yml): the pages of the site lie in docs/ and beside the code, and each text stands once.

READMEs and committed leaderboards become pages under their own paths. Their links are those that GitHub follows: to
another page, which becomes a link within the site, or to another file, which becomes a link to it on GitHub. A link to
nothing is a warning, and so an error with `--strict`.
"""

import atexit
import logging
import posixpath
import re
import shutil
import tempfile
import tomllib
from pathlib import Path

from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).resolve().parents[1]
PAGES = (
    *("*.md", "configs/**/README.md", "harness/**/README.md", "scripts/README.md", "submissions/README.md"),
    *("workloads/README.md", "results/README.md", "results/*/README.md", "results/benchmark/*.md"),
    *("results/*/*/leaderboard.md", "results/on_*/*/*/leaderboard.md", "results/version_*/*/*/leaderboard.md"),
)
BESIDE = (
    *("results/*/*/leaderboard.html", "results/*/*/*.svg", "results/explain/*/figure.svg"),
    *("results/on_*/*/*/leaderboard.html", "results/on_*/*/*/*.svg"),
    *("results/version_*/*/*/leaderboard.html", "results/version_*/*/*/*.svg"),
)
"""What pages show or link to, which lies beside them in the site as well."""
LINK = re.compile(r"(?P<before>\]\(|\b(?:src|href)=\")(?P<target>[^)\s\"#:]+)(?P<anchor>#[^)\s\"]*)?(?=[)\"\s])")
FENCE = re.compile(r"(^```.*?^```$)", re.MULTILINE | re.DOTALL)
BOARDS = "<!-- leaderboards -->"
LOG = logging.getLogger("mkdocs.plugins.site_pages")


@event_priority(100)  # before mkdocstrings looks for them
def on_config(config):
    """Lay the packages out as they are imported, for the docstrings are read without importing anything."""
    tree = Path(tempfile.mkdtemp(prefix="timetrial-site-")) / "timetrial"
    atexit.register(shutil.rmtree, tree.parent, ignore_errors=True)
    tree.mkdir()
    mapping = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-dir"]
    for file in (ROOT / mapping.pop("timetrial")).iterdir():
        (tree / file.name).symlink_to(file)
    for package, folder in mapping.items():
        (tree / package.removeprefix("timetrial.")).symlink_to(ROOT / folder)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(tree.parent)]
    return config


def on_files(files: Files, config) -> Files:
    """Add the pages that lie outside of docs/, under their paths in the repository."""
    for path in sorted({path for pattern in (*PAGES, *BESIDE) for path in ROOT.glob(pattern)}):
        uri = path.relative_to(ROOT).as_posix()
        files.append(File(uri, str(ROOT), config.site_dir, config.use_directory_urls))
    return files


def on_page_markdown(markdown: str, page, config, files: Files) -> str:
    """Turn the links of a page, which are relative to its place in the repository, into those of the site."""
    here = repository_path(page.file)
    parts = FENCE.split(markdown.replace(BOARDS, leaderboards()))
    return "".join(
        part if i % 2 else LINK.sub(lambda link: _rewritten(link, here, page.file, config, files), part)
        for i, part in enumerate(parts)
    )


def leaderboards() -> str:
    """List the committed leaderboards, the main ones first: each with its page, and its tables."""
    rows = [
        f"| {page.parts[-3]} | {page.parts[-2]} | {machine} | [open](../{page.relative_to(ROOT).as_posix()}) "
        f"| [tables](../{page.relative_to(ROOT).with_suffix('.md').as_posix()}) |"
        for root in [ROOT / "results", *sorted(ROOT.glob("results/on_*"))]
        for machine in [root.name.removeprefix("on_").replace("results", "main")]
        for page in sorted(root.glob("*/*/leaderboard.html"))
    ]
    heading = "| suite | ruleset | machine | page with curves and sources | tables |"
    return "\n".join([heading, "| --- " * 5 + "|", *rows])


def repository_path(file: File) -> str:
    """Give the path of a file of the site in the repository."""
    return Path(file.abs_src_path).resolve().relative_to(ROOT).as_posix()


def _rewritten(link: re.Match, here: str, file: File, config, files: Files) -> str:
    target = posixpath.normpath(posixpath.join(posixpath.dirname(here), link["target"]))
    anchor = link["anchor"] or ""
    uri = target.removeprefix("docs/")
    if (ROOT / target).is_dir() and f"{uri}/README.md" in files.src_uris:
        uri += "/README.md"
    if uri in files.src_uris:
        return link["before"] + posixpath.relpath(uri, posixpath.dirname(file.src_uri) or ".") + anchor
    if not (ROOT / target).exists():
        LOG.warning("%s links to %s, which is not there", here, target)
    kind = "tree" if (ROOT / target).is_dir() else "blob"
    return f"{link['before']}{config.repo_url}/{kind}/main/{target}{anchor}"
