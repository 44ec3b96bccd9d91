"""Builds the documentation site with Zensical; every warning ends the build (extra `[docs]`).

    python benchmarks/docs_site.py               # writes build/site
    python benchmarks/docs_site.py --out DIR     # writes DIR/site
    python benchmarks/docs_site.py --stage       # writes the pages alone, without Zensical

The site is made from copies of the pages. Links of a page that leave docs/ are followed: what they name is
copied below `repository/`. Two pages are generated: keys of recipes, from recipe.schema.json, and the Python
interface, from docstrings.
"""

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from docs_reference import keys_page, python_page

ROOT = Path(__file__).parents[1]
ALSO = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages beside docs/ that are part of the site."""
GENERATED: dict[str, Callable[[], str]] = {"reference/keys.md": keys_page, "reference/python.md": python_page}
"""Page of the site -> the function that writes it."""
LINK = re.compile(r"\[[^\]]*(?:\[[^\]]*\][^\]]*)?\]\(([^)\s]+)\)")
_FENCE = re.compile(r"(^```.*?^```[^\n]*$)", re.MULTILINE | re.DOTALL)


def place(path: Path) -> str:
    """Where a file of the repository lies in the site, without a leading slash."""
    relative = path.relative_to(ROOT)
    inside = relative.parts[0] == "docs"
    return (relative.relative_to("docs") if inside else Path("repository") / relative).as_posix()


def target_of(link: str, page: Path) -> Path | None:
    """The file of the repository that a link of `page` names; None for an address or an anchor."""
    name = link.partition("#")[0]
    if not name or re.match(r"[a-z]+:", link):
        return None
    path = (page.parent / name).resolve()
    path = path / "README.md" if path.is_dir() else path
    if not path.is_file() or not path.is_relative_to(ROOT):
        raise SystemExit(f"{page.relative_to(ROOT)}: the link {link} names no file of the repository")
    return path


def site_text(page: Path) -> tuple[str, set[Path]]:
    """A page as the site has it, and the files that it names."""
    named: set[Path] = set()
    up = "../" * place(page).count("/")

    def rewritten(match: re.Match[str]) -> str:
        link = match[1]
        path = target_of(link, page)
        if path is None:
            return match[0]
        named.add(path)
        anchor = link.partition("#")[1] + link.partition("#")[2]
        return match[0][: -len(link) - 1] + up + place(path) + anchor + ")"

    parts = _FENCE.split(page.read_text(encoding="utf-8"))
    parts[::2] = [LINK.sub(rewritten, _for_python_markdown(part)) for part in parts[::2]]
    return "".join(parts), named


def _for_python_markdown(text: str) -> str:
    """GitHub nests lists by two spaces and begins a table after a comment; Python-Markdown needs more."""
    text = re.sub(r"^  (?=[-*] )", "    ", text, flags=re.MULTILINE)
    return re.sub(r"^(<!--.*-->)\n(?=\S)", r"\1\n\n", text, flags=re.MULTILINE)


def stage(out: Path) -> list[str]:
    """Writes all pages and files of the site below `out`, and returns their places."""
    shutil.rmtree(out, ignore_errors=True)
    waiting = [*(path for path in (ROOT / "docs").rglob("*") if path.is_file()), *(ROOT / p for p in ALSO)]
    done: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in done:
            continue
        done.add(path)
        copy = out / place(path)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".md":
            text, named = site_text(path)
            copy.write_text(text, encoding="utf-8")
            waiting += named
        else:
            shutil.copyfile(path, copy)
    for name, written in GENERATED.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(written(), encoding="utf-8")
    return sorted([*map(place, done), *GENERATED])


def configuration(out: Path) -> Path:
    """mkdocs.yml for a build below `out`, wherever that is."""
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))
    settings |= {"docs_dir": "docs", "site_dir": "site"}
    (reference,) = [item["mkdocstrings"] for item in settings["plugins"] if "mkdocstrings" in item]
    reference["handlers"]["python"]["paths"] = [str(ROOT)]
    path = out / "mkdocs.yml"
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    return path


def build(out: Path) -> int:
    """Stages and builds the site in `out`/site, and returns Zensical's exit status."""
    stage(out / "docs")
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run([*command, "--config-file", str(configuration(out))], cwd=out).returncode


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build")
    parser.add_argument("--stage", action="store_true", help="write the pages alone, without Zensical")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    if arguments.stage:
        print(f"{len(stage(out / 'docs'))} files in {out / 'docs'}")
        return 0
    return build(out)


if __name__ == "__main__":
    sys.exit(main())
