"""A bucket on loopback that speaks as much of S3 as a store asks of it, and knows one key.

Objects are listed in pages of two, so that whoever reads one page alone is found out.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

BUCKET, ACCESS_KEY, SECRET_KEY = "ours", "AKIAOURS", "of the tests alone"
_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
_PAGE = 2


class Server(ThreadingHTTPServer):
    """Serves the objects that it has."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.objects: dict[str, bytes] = {}
        self.parts: dict[str, dict[int, bytes]] = {}
        self.broken = False
        """Whether it changes a byte of what it keeps."""

    @property
    def environment(self) -> dict[str, str]:
        """By which clients find it."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_port}",
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "eu-1",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        }


@contextmanager
def serving() -> Iterator[Server]:
    """A server, while it serves."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""

    def _take(self) -> tuple[str, dict[str, str], bytes] | None:
        """Key, query and body; None for whoever has another key, or asks for another bucket."""
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if f"Credential={ACCESS_KEY}/" not in self.headers.get("Authorization", ""):
            self._say(403, "<Error><Code>InvalidAccessKeyId</Code></Error>")
            return None
        if bucket != BUCKET:
            self._say(404, "<Error><Code>NoSuchBucket</Code></Error>")
            return None
        return key, query, body

    def _say(self, status: int, body: str | bytes = b"", **headers: str) -> None:
        content = body.encode() if isinstance(body, str) else body
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def do_PUT(self) -> None:
        if (taken := self._take()) is None:
            return
        key, query, body = taken
        if source := self.headers.get("x-amz-copy-source"):
            self.server.objects[key] = self.server.objects[unquote(source).lstrip("/").partition("/")[2]]
            self._say(200, '<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>')
        elif "partNumber" in query:
            self.server.parts[query["uploadId"]][int(query["partNumber"])] = body
            self._say(200, ETag='"e"')
        else:
            self._keep(key, body)
            self._say(200, ETag='"e"')

    def _keep(self, key: str, body: bytes) -> None:
        self.server.objects[key] = body[:-1] + bytes([body[-1] ^ 1]) if self.server.broken else body

    def do_POST(self) -> None:
        if (taken := self._take()) is None:
            return
        key, query, body = taken
        if "uploads" in query:
            self.server.parts[f"of {key}"] = {}
            words = f"<UploadId>of {escape(key)}</UploadId><Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key>"
            self._say(200, f"<InitiateMultipartUploadResult>{words}</InitiateMultipartUploadResult>")
        elif "uploadId" in query:
            parts = self.server.parts.pop(query["uploadId"])
            self._keep(key, b"".join(parts[number] for number in sorted(parts)))
            words = f'<Bucket>{BUCKET}</Bucket><Key>{escape(key)}</Key><ETag>"e"</ETag>'
            self._say(200, f"<CompleteMultipartUploadResult>{words}</CompleteMultipartUploadResult>")
        elif "delete" in query:
            gone = [str(one.text) for one in ElementTree.fromstring(body).iter() if one.tag.endswith("Key")]
            for name in gone:
                self.server.objects.pop(name, None)
            words = "".join(f"<Deleted><Key>{escape(name)}</Key></Deleted>" for name in gone)
            self._say(200, f'<DeleteResult xmlns="{_NAMESPACE}">{words}</DeleteResult>')
        else:
            self._say(400)

    def do_GET(self) -> None:
        if (taken := self._take()) is None:
            return
        key, query, _ = taken
        if "list-type" in query:
            self._list(query)
        elif (content := self.server.objects.get(key)) is None:
            self._say(404, "<Error><Code>NoSuchKey</Code></Error>")
        else:
            self._say(200, content, ETag='"e"', Last_Modified="Mon, 30 Nov 2026 00:00:00 GMT")

    do_HEAD = do_GET

    def do_DELETE(self) -> None:
        if (taken := self._take()) is not None:
            self.server.objects.pop(taken[0], None)
            self._say(204)

    def _list(self, query: dict[str, str]) -> None:
        prefix = query.get("prefix", "")
        names = sorted(name for name in self.server.objects if name.startswith(prefix))
        names = [name for name in names if "/" not in name[len(prefix) :]] if "delimiter" in query else names
        begin = int(query.get("continuation-token", "0"))
        page = names[begin : begin + _PAGE]
        words = "".join(
            f"<Contents><Key>{escape(name)}</Key><Size>{len(self.server.objects[name])}</Size>"
            '<LastModified>2026-11-30T00:00:00.000Z</LastModified><ETag>"e"</ETag></Contents>'
            for name in page
        )
        more = begin + _PAGE < len(names)
        token = f"<NextContinuationToken>{begin + _PAGE}</NextContinuationToken>" if more else ""
        self._say(
            200,
            f'<ListBucketResult xmlns="{_NAMESPACE}"><Name>{BUCKET}</Name><Prefix>{escape(prefix)}</Prefix>'
            f"<KeyCount>{len(page)}</KeyCount><MaxKeys>{_PAGE}</MaxKeys>"
            f"<IsTruncated>{str(more).lower()}</IsTruncated>{token}{words}</ListBucketResult>",
        )
