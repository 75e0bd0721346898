"""Files that never touch a disk, for programs and libraries that take keys as files only."""

from __future__ import annotations

import os


class MemoryFiles:
    """Anonymous files of this process (`memfd_create`); they vanish when closed, and with the process."""

    def __init__(self) -> None:
        self._descriptors: list[int] = []

    def descriptor(self, content: str) -> int:
        """A new file with this content, to be read from its beginning; programs do not inherit it."""
        descriptor = os.memfd_create("crossmesh", os.MFD_CLOEXEC)
        self._descriptors.append(descriptor)
        os.write(descriptor, content.encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor

    def path(self, content: str) -> str:
        """The same, by a path that this process can open."""
        return f"/proc/self/fd/{self.descriptor(content)}"

    def close(self) -> None:
        """Remove all of them."""
        while self._descriptors:
            os.close(self._descriptors.pop())
