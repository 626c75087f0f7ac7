"""Find the programs that the tests use, or install them where that is allowed.

`python -m helpers.site.commands.system browser` prints the path of a Chromium or Chrome; `...
speech` makes sure of espeak-ng, flite and ffmpeg. Standard library only.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SPEECH = ("espeak-ng", "flite", "ffmpeg")


def browser() -> str:
    """Path of a browser: what BOOK_BROWSER names, one that is there, Debian's, or Playwright's.

    Raises:
        SystemExit: none could be had, with the reason.
    """
    if path := os.environ.get("BOOK_BROWSER") or working(BROWSERS):
        return path
    debian = install_debian("chromium")
    if path := working(BROWSERS):
        return path
    playwright = run(sys.executable, "-m", "playwright", "install", "chromium")
    if playwright is None and (path := playwrights_chromium()):
        return path
    sys.exit(f"The browser tests need Chromium or Chrome, and none is here. Debian's package: "
             f"{debian}. Playwright's: {playwright}. Install one and run again.")


def speech() -> None:
    """Make sure of the synthesisers and ffmpeg.

    Raises:
        SystemExit: some are missing and cannot be installed, with the reason.
    """
    missing = [name for name in SPEECH if shutil.which(name) is None]
    if missing:
        reason = install_debian(*missing)
        missing = [name for name in missing if shutil.which(name) is None]
        if missing:
            sys.exit(f"The corpus tests need {', '.join(missing)}, which could not be installed "
                     f"({reason}): install the Debian packages of these names.")


def working(names: tuple[str, ...]) -> str | None:
    """The first of these programs that is there and starts (some are only placeholders)."""
    return next((path for name in names if (path := shutil.which(name))
                 and run(path, "--version") is None), None)


def playwrights_chromium() -> str | None:
    code = ("from playwright.sync_api import sync_playwright as s\n"
            "with s() as p: print(p.chromium.executable_path)")
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                               check=False)
    path = completed.stdout.strip()
    return path if path and os.path.exists(path) else None


def install_debian(*packages: str) -> str | None:
    """Install Debian packages; returns None, or why it could not."""
    if shutil.which("apt-get") is None:
        return "this system has no apt-get"
    if os.geteuid() != 0:
        return "not running as root"
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    print(f"Installing {', '.join(packages)} ...", file=sys.stderr, flush=True)
    return (run("apt-get", "update", "-qq", **quiet)
            or run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages,
                   **quiet))


def run(*command: str, **environment: str) -> str | None:
    """Run a command quietly; returns None, or the last line of what it complained of."""
    completed = subprocess.run(command, capture_output=True, text=True, check=False,
                               stdin=subprocess.DEVNULL, env={**os.environ, **environment})
    if completed.returncode == 0:
        return None
    return (completed.stderr.strip().splitlines() or [f"exit code {completed.returncode}"])[-1]


if __name__ == "__main__":
    if sys.argv[1:] == ["browser"]:
        print(browser())
    elif sys.argv[1:] == ["speech"]:
        speech()
    else:
        sys.exit("Usage: python -m helpers.site.commands.system browser | speech")
