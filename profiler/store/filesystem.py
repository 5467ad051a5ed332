"""Which file system a path is on: SQLite's locks can't be trusted on every one."""

from __future__ import annotations

import re
from pathlib import Path

_NETWORK = re.compile(r"(nfs|cifs|smb|9p|afs|ceph|gluster|lustre|beegfs|gpfs|fuse\.(sshfs|s3|gcs))")
_MOUNTS = Path("/proc/self/mountinfo")


def filesystem_of(path: Path, mounts: Path = _MOUNTS) -> str | None:
    """The file system's name, for example `ext4` or `overlay`; None when it is not known."""
    try:
        lines = mounts.read_text(errors="surrogateescape").splitlines()
        place = path.resolve()
    except OSError:
        return None
    best: tuple[int, str] | None = None
    for line in lines:
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) < 5 or not right:
            continue
        point = Path(_unescaped(fields[4]))
        # The last of equally deep mounts covers the others.
        if place.is_relative_to(point) and (best is None or len(point.parts) >= best[0]):
            best = (len(point.parts), right.split()[0])
    return best[1] if best else None


def is_network(kind: str | None) -> bool:
    """True for file systems on which several machines can open one file."""
    return kind is not None and _NETWORK.match(kind) is not None


def _unescaped(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
