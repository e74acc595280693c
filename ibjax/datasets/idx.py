"""Reader of IDX files, the format of MNIST: a header of sizes, then bytes. Damaged files are refused."""

import gzip
import os
import zlib
from pathlib import Path

import numpy as np

from ibjax.checks import kind_of

__all__ = ["as_path", "read_idx"]

GZIP_MAGIC = b"\x1f\x8b"
UNSIGNED_BYTES = 0x08


def as_path(name: str, path: str | Path) -> Path:
    """Return a path; refuse anything that is neither text nor a path."""
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise ValueError(f"{name}: expected a path, got {kind_of(path)}")
    return Path(path)


def read_idx(path: str | Path) -> np.ndarray:
    """Read the array of unsigned bytes in an IDX file, plain or gzipped, whatever its name.

    The format is two zero bytes, the type 8 (unsigned bytes), the number of axes, their lengths as
    big-endian 32-bit numbers, and the entries in C order.

    Args:
        path: path of the file.

    Returns:
        Read-only uint8 array of the shape given in the header.

    Raises:
        ValueError: for a file that cannot be read, a damaged or truncated gzip file, another kind of
            header, and more or fewer entries than the header says.

    References:
        LeCun, Cortes & Burges, The MNIST database, "File formats for the MNIST database".
    """
    path = as_path("path", path)
    content = _content(path)
    # A file that is too short has no valid header either.
    if content[:3] != bytes([0, 0, UNSIGNED_BYTES]) or len(content) < 4:
        raise ValueError(
            f"path: expected an IDX file of unsigned bytes, which begins with 00 00 08, got {path}, "
            f"which begins with {content[:3].hex(' ') or 'nothing'}"
        )
    start = 4 + 4 * content[3]
    if len(content) < start:
        raise ValueError(
            f"path: expected an IDX header of {start} bytes, got {path} with {len(content)} in all"
        )
    shape = tuple(np.frombuffer(content[4:start], ">u4").tolist())
    expected = int(np.prod(shape, dtype=object))
    if len(content) - start != expected:
        raise ValueError(
            f"path: expected {expected} bytes after the header, of shape {shape}, "
            f"got {path} with {len(content) - start}"
        )
    return np.frombuffer(content, np.uint8, offset=start).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(GZIP_MAGIC) else content
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"path: expected a file to be read whole, got {path} ({error})") from error
