"""Official releases: downloaded with a short patience, accepted only with the pinned checksum."""

from __future__ import annotations

import http.client
import shutil
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

from toolchain.manifest import Release
from toolchain.progress import Ticker, say
from toolchain.store import file_digest, store_dir

TIMEOUT = 8.0
"""Seconds without a connection or a byte after which a site counts as unreachable."""

_CHUNK = 1 << 20
_ARCHIVES = (".tar.gz", ".tgz")


class ReleaseUnavailable(Exception):
    """A release cannot be had here; the message says why."""


class Releases:
    """Downloads of one run. It remembers which sites did not answer and does not ask them again."""

    def __init__(self, timeout: float = TIMEOUT) -> None:
        self.timeout = timeout
        self.unreachable: dict[str, str] = {}

    def fetch(self, release: Release) -> Path:
        """Download a release, or take the earlier download, and return its path.

        Raises ReleaseUnavailable when the site does not answer or what it sends has another checksum; such a
        file is deleted and never looked into.
        """
        host = urllib.parse.urlsplit(release.url).netloc
        target = store_dir() / "downloads" / f"{release.checksum[:16]}-{release.url.rsplit('/', 1)[1]}"
        if target.exists() and file_digest(target, release.algorithm) == release.checksum:
            return target
        if host in self.unreachable:
            raise ReleaseUnavailable(f"{host} is unreachable ({self.unreachable[host]})")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_suffix(target.suffix + ".part")
        try:
            self._download(release.url, part)
        except (OSError, http.client.HTTPException) as error:
            reason = str(getattr(error, "reason", error)) or type(error).__name__
            self.unreachable[host] = reason
            say(f"{host} is unreachable ({reason}); not asked again in this run")
            raise ReleaseUnavailable(f"{host} is unreachable ({reason})") from error
        digest = file_digest(part, release.algorithm)
        if digest != release.checksum:
            part.unlink()
            self.unreachable[host] = "sent a file with a wrong checksum"
            say(
                f"REFUSED {release.url}: its {release.algorithm} is {digest}, pinned is {release.checksum} "
                f"(source: {release.checksum_source}). Somebody between here and {host} may change files."
            )
            raise ReleaseUnavailable(f"{release.url} has a wrong checksum")
        part.rename(target)
        return target

    def _download(self, url: str, part: Path) -> None:
        have = part.stat().st_size if part.exists() else 0
        request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
        ticker = Ticker(f"download {url.rsplit('/', 1)[1]}")
        try:
            response = urllib.request.urlopen(request, timeout=self.timeout)
        except urllib.error.HTTPError as error:
            complete_already = 416
            if error.code == complete_already and have:
                return
            raise
        with response:
            resumed = response.status == http.client.PARTIAL_CONTENT
            received = have if resumed else 0
            with part.open("ab" if resumed else "wb") as stream:
                while chunk := response.read(_CHUNK):
                    stream.write(chunk)
                    received += len(chunk)
                    ticker.update(f"{received / 2**20:.0f} MiB")
            expected = response.headers.get("Content-Length")
            if expected is not None and received - (have if resumed else 0) < int(expected):
                raise ConnectionError(f"connection closed after {received} bytes")
        ticker.done(f"{received / 2**20:.0f} MiB")


def extract(archive: Path, members: dict[str, Path]) -> None:
    """Write an archive's members to files, `{member: target}`. Raises ReleaseUnavailable for missing ones.

    A file that is no archive is the one member itself.
    """
    missing = dict(members)
    if not archive.name.endswith(_ARCHIVES):
        [target] = members.values()
        shutil.copyfile(archive, target)
        target.chmod(0o755)
        return
    with tarfile.open(archive) as tar:
        for info in tar:
            name = info.name.removeprefix("./")
            if name in missing and info.isfile():
                stream = tar.extractfile(info)
                assert stream is not None
                with stream, missing[name].open("wb") as out:
                    while chunk := stream.read(_CHUNK):
                        out.write(chunk)
                missing.pop(name).chmod(0o755)
                if not missing:
                    return
    raise ReleaseUnavailable(f"{archive.name} does not hold {', '.join(sorted(missing))}")
