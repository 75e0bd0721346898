"""A static HTTP server for one directory tree: `python -m lab.mirror.server ROOT ADDRESS PORT`."""

from __future__ import annotations

import functools
import http.server
import io
import sys
from pathlib import Path
from typing import Any


class _Handler(http.server.SimpleHTTPRequestHandler):
    # Connections stay open between requests: apt asks for hundreds of files.
    protocol_version = "HTTP/1.1"
    server_version = "mirror"
    timeout = 60

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Send the body: files by the kernel, listings (made in memory) as usual."""
        if isinstance(source, io.BufferedReader):
            self.wfile.flush()
            self.connection.sendfile(source)
        else:
            super().copyfile(source, outputfile)


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128


def make(root: Path, address: str, port: int) -> http.server.ThreadingHTTPServer:
    """A server of ``root`` that listens on ``address:port`` (0: a free one). Raises OSError."""
    return _Server((address, port), functools.partial(_Handler, directory=str(root)))


if __name__ == "__main__":
    with make(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])) as running:
        running.serve_forever()
