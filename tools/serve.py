"""Show the built book on this machine: `make serve PORT=8000`."""

from __future__ import annotations

import errno
import functools
import http.server
import sys
from pathlib import Path

SITE = Path(__file__).resolve().parents[1] / "_build" / "html"


def main(port: str = "8000") -> None:
    if not (SITE / "index.html").is_file():
        sys.exit("The book is not built yet: run `make book` first.")
    if not port.isdigit() or not 0 < int(port) < 65536:
        sys.exit(f"`{port}` is not a port: give a number from 1 to 65535, `make serve PORT=8000`.")
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(SITE))
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), handler)
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            sys.exit(f"Port {port} cannot be used ({error.strerror.lower()}): choose another, "
                     "for example `make serve PORT=8123`.")
        raise
    print(f"The book is at http://127.0.0.1:{port}/ (stop with Ctrl+C).", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()


if __name__ == "__main__":
    main(*sys.argv[1:2])
