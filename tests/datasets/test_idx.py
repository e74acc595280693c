"""IDX files: read as written, and refused unless whole."""

import gzip

import numpy as np
import pytest

from ibjax.datasets.idx import read_idx
from tests.datasets.idx_files import idx_bytes

ARRAY = np.random.default_rng(0).integers(0, 256, (3, 4, 5)).astype(np.uint8)
WHOLE = idx_bytes(ARRAY)


@pytest.mark.parametrize("shape", [(6,), (2, 3), (3, 4, 5), (0, 4)])
@pytest.mark.parametrize("packed", [gzip.compress, bytes])
def test_reads_what_was_written(tmp_path, shape, packed):
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    path = tmp_path / "any_name"
    path.write_bytes(packed(idx_bytes(array)))
    read = read_idx(path)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array)


REFUSED = {
    "nothing": (b"", "begins with nothing"),
    "short": (WHOLE[:2], "begins with 00 00$"),
    "another kind of file": (b"\x89PNG\r\n", "which begins with 00 00 08, got .* begins with 89 50 4e"),
    "floats": (b"\x00\x00\x0d\x01" + WHOLE[4:], "begins with 00 00 0d"),
    "half a header": (WHOLE[:10], "an IDX header of 16 bytes, got .* with 10 in all"),
    "truncated": (WHOLE[:-1], r"60 bytes after the header, of shape \(3, 4, 5\), got .* with 59"),
    "too long": (WHOLE + b"\x00", "60 bytes after the header, .* with 61"),
    "sizes beyond 64 bits": (b"\x00\x00\x08\x03" + b"\xff" * 12, "79228162458924105385300197375 bytes"),
    "truncated gzip": (gzip.compress(WHOLE)[:-12], "to be read whole, got .*ended before"),
    "damaged gzip": (gzip.compress(WHOLE)[:-8] + bytes(8), "to be read whole, got .*CRC"),
    "garbled gzip": (gzip.compress(WHOLE)[:10] + b"\xff" * 40, "to be read whole, got .*invalid"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_what_is_not_whole(tmp_path, name):
    content, message = REFUSED[name]
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"^path: expected .*{message}"):
        read_idx(path)


def test_refuses_a_missing_file(tmp_path):
    with pytest.raises(ValueError, match=r"to be read whole, got .*nowhere .*No such file"):
        read_idx(tmp_path / "nowhere")
