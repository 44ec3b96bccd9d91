"""Before a release is built: links and pictures of README become absolute, and the package names its places.

    python .github/release_links.py https://github.com/OWNER/NAME v0.2.0

PyPI shows README away from the repository, whose address is known when it is built. The tag must be that of
the version in pyproject.toml.
"""

import re
import sys
import tomllib
from pathlib import Path

LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\((?![a-z]+:|#)([^)\s]+)\)")


def absolute(text: str, repository: str, tag: str) -> str:
    """Relative links lead to the tag's files, and pictures to the files' raw content."""

    def replaced(match: re.Match[str]) -> str:
        kind = "raw" if match[1] else "blob"
        return f"{match[1]}[{match[2]}]({repository}/{kind}/{tag}/{match[3]})"

    return LINK.sub(replaced, text)


def with_urls(project: str, repository: str, tag: str) -> str:
    """pyproject.toml whose `[project.urls]` names the repository's pages too."""
    urls = {
        "Homepage": repository,
        "Documentation": f"{repository}/tree/{tag}/docs",
        "Changelog": f"{repository}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{repository}/issues",
    }
    lines = "".join(f'{name} = "{url}"\n' for name, url in urls.items())
    return project.replace("[project.urls]\n", f"[project.urls]\n{lines}", 1)


def main(repository: str, tag: str, root: Path) -> None:
    """Rewrite both files."""
    readme, project = root / "README.md", root / "pyproject.toml"
    version = tomllib.loads(project.read_text())["project"]["version"]
    if tag != f"v{version}":
        sys.exit(f"tag {tag}: pyproject.toml has version {version}; expected the tag v{version}")
    readme.write_text(absolute(readme.read_text(), repository, tag))
    project.write_text(with_urls(project.read_text(), repository, tag))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(__file__).resolve().parents[1])
