"""Show the built book on this machine: `make serve PORT=8000`."""

from __future__ import annotations

import contextlib
import errno
import functools
import gzip
import http.server
import io
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from helpers.site.commands import build

TEXT = (".html", ".css", ".js", ".svg", ".json", ".txt")


class Handler(http.server.SimpleHTTPRequestHandler):
    """Serves text as a usual static host does: with gzip, to a browser that takes it."""

    protocol_version = "HTTP/1.1"

    def send_head(self) -> io.BytesIO | None:
        """Answer with the compressed file; anything else is left to the standard library."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() and self.path.endswith("/") else path
        if (path.suffix not in TEXT or not path.is_file()
                or "gzip" not in self.headers.get("Accept-Encoding", "")):
            return super().send_head()
        content = compressed(path, path.stat().st_mtime_ns)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Vary", "Accept-Encoding")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Show the book's own page where there is no such file."""
        lost = Path(self.directory) / "404.html"
        if code != http.HTTPStatus.NOT_FOUND or not lost.is_file():
            super().send_error(code, message, explain)
            return
        content = lost.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class QuietHandler(Handler):
    """The same, without a log."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@functools.lru_cache(maxsize=256)
def compressed(path: Path, changed: int) -> bytes:
    """A file as gzip at the usual level; a new time of change makes it again."""
    return gzip.compress(path.read_bytes(), compresslevel=6)


@contextlib.contextmanager
def served(site: Path) -> Iterator[str]:
    """The site at an address of this machine, for the time of the block."""
    handler = functools.partial(QuietHandler, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def main(port: str = "8000") -> None:
    handler = functools.partial(Handler, directory=str(build.built()))
    if not port.isdigit() or not 0 < int(port) < 65536:
        sys.exit(f"`{port}` is not a port: give a number from 1 to 65535, `make serve PORT=8000`.")
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
