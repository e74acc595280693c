"""MNIST from a folder, and by download from a server in this process."""

import hashlib
import sys
import threading
import types
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import jax.numpy as jnp
import numpy as np
import pytest

from ibjax.datasets import mnist
from ibjax.datasets.mnist import CACHE_VARIABLE, SHA256, download
from tests.datasets.idx_files import idx_bytes, write_mnist

CONTENT = b"the contents of a file"
CHECKSUM = hashlib.sha256(CONTENT).hexdigest()


def test_the_real_test_images(reference_data):
    if not (folder := reference_data / "mnist").is_dir():
        pytest.skip("no MNIST in the folder of the original files")
    for name in ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"):
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == SHA256[name]
    data = mnist("test", folder=folder)
    assert data.x.shape == (10_000, 784)
    assert data.x.dtype == jnp.float32
    assert data.y.dtype == jnp.int32
    assert data.y[:10].tolist() == [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]
    assert np.bincount(data.y).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert (data.x.min(), data.x.max()) == (0, 1)
    assert float(data.x.mean()) == pytest.approx(0.1325146, abs=1e-6)  # known of these images
    assert len(np.unique(data.x, axis=0)) == 10_000  # all distinct, so that H(X) = log2 n


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("split", ["train", "test"])
def test_pixels_over_255_row_by_row(tmp_path, split, compress):
    images, labels = write_mnist(tmp_path, {"train": 12, "test": 5}, compress=compress)[split]
    data = mnist(split, folder=tmp_path)
    assert data.x.dtype == jnp.float32
    for x, image in zip(np.asarray(data.x), images, strict=True):
        np.testing.assert_array_equal(x, [np.float32(p) / np.float32(255) for row in image for p in row])
    np.testing.assert_array_equal(data.y, labels)


def test_the_other_spelling_of_the_names(tmp_path):
    _, labels = write_mnist(tmp_path, {"test": 5}, compress=False)["test"]
    for path in list(tmp_path.iterdir()):
        path.rename(tmp_path / path.name.replace("-idx", ".idx"))
    assert (tmp_path / "t10k-images.idx3-ubyte").exists()
    np.testing.assert_array_equal(mnist("test", folder=tmp_path).y, labels)


def test_missing_files_are_named(tmp_path):
    write_mnist(tmp_path, {"test": 5})
    with pytest.raises(ValueError, match=r"^folder: expected train-images-idx3-ubyte.gz or .*, got "):
        mnist("train", folder=tmp_path)
    with pytest.raises(ValueError, match=r"^split: expected one of test, train; got 'validation'"):
        mnist("validation", folder=tmp_path)


@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("labels-idx1", np.zeros(4), "^images and labels: expected one entry .* got lengths 5 and 4"),
        ("labels-idx1", np.full(5, 10), "^labels: expected 0 to 9, got 10"),
        ("labels-idx1", np.zeros((5, 2)), r"^labels: expected shape \(n,\), got shape \(5, 2\)"),
        ("images-idx3", np.zeros((5, 28, 27)), r"^images: expected shape \(n, 28, 28\), got .*27\)"),
        ("images-idx3", np.zeros((0, 28, 28)), r"^images: expected shape \(n, 28, 28\), got .*0, 28"),
    ],
)
def test_what_is_no_mnist_is_refused(tmp_path, name, array, message):
    write_mnist(tmp_path, {"test": 5}, compress=False)
    (tmp_path / f"t10k-{name}-ubyte").write_bytes(idx_bytes(array))
    with pytest.raises(ValueError, match=message):
        mnist("test", folder=tmp_path)


def test_without_pooch_it_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)  # so that its import fails
    with pytest.raises(ValueError, match=r'pip install "ibjax\[mnist\]".*t10k-labels.*folder=FOLDER'):
        mnist("test")


class Server:
    """Files by address; some answers fail first. Counts the requests of each address."""

    def __init__(self):
        self.files, self.failures, self.requests = {}, Counter(), Counter()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                server.requests[self.path] += 1
                content = server.files.get(self.path)
                failing = server.requests[self.path] <= server.failures[self.path]
                self.send_response(503 if failing else 404 if content is None else 200)
                self.send_header("Content-Length", str(len(content or b"")))
                self.end_headers()
                self.wfile.write(b"" if content is None or failing else content)

            def log_message(self, *_):
                """Quiet."""

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self._http.server_port}"
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def close(self):
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()


@pytest.fixture
def server(monkeypatch):
    """A server on this machine, no proxy before it and no waiting between attempts."""
    pooch = pytest.importorskip("pooch")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(pooch.core, "time", types.SimpleNamespace(sleep=lambda seconds: None))
    running = Server()
    yield running
    running.close()


def test_a_download_is_kept(server, tmp_path):
    server.files["/a/file"] = CONTENT
    for _ in range(2):
        path = download("file", CHECKSUM, tmp_path / "cache", [f"{server.address}/a/"])
        assert path == tmp_path / "cache" / "file"
        assert path.read_bytes() == CONTENT
    assert server.requests == {"/a/file": 1}


def test_a_failed_answer_is_asked_for_again(server, tmp_path):
    server.files["/a/file"] = CONTENT
    server.failures["/a/file"] = 1  # 503, then the file
    path = download("file", CHECKSUM, tmp_path, [f"{server.address}/a/", f"{server.address}/b/"])
    assert path.read_bytes() == CONTENT
    assert server.requests == {"/a/file": 2}


@pytest.mark.parametrize("first", [None, b"other contents", CONTENT[:-1]])
def test_the_next_mirror_is_used(server, tmp_path, first):
    server.files = {"/b/file": CONTENT} | ({} if first is None else {"/a/file": first})
    path = download("file", CHECKSUM, tmp_path, [f"{server.address}/a/", f"{server.address}/b/"])
    assert path.read_bytes() == CONTENT
    assert server.requests == {"/a/file": 3, "/b/file": 1}
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_wrong_checksum_is_refused(server, tmp_path):
    server.files["/a/file"] = b"other contents"
    with pytest.raises(ValueError, match=r"(?s)no whole download\..*/a/: SHA256 hash of downloaded"):
        download("file", CHECKSUM, tmp_path, [f"{server.address}/a/"])
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_replaced(server, tmp_path):
    server.files["/a/file"] = CONTENT
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    assert download("file", CHECKSUM, tmp_path, [f"{server.address}/a/"]).read_bytes() == CONTENT


def test_without_network_it_says_what_to_do(server, tmp_path):
    nobody = server.address
    server.close()
    with pytest.raises(ValueError, match=r"t10k-labels-idx1-ubyte.gz.*folder=FOLDER.*IBJAX_DATA"):
        mnist("test", cache=tmp_path, mirrors=[f"{nobody}/"])


def test_the_cache_is_the_argument_else_the_variable_else_the_users(server, tmp_path, monkeypatch):
    server.files["/a/file"] = CONTENT
    mirrors = [f"{server.address}/a/"]
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / "user" / name)
    assert download("file", CHECKSUM, None, mirrors) == tmp_path / "user" / "ibjax" / "file"
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "variable"))
    assert download("file", CHECKSUM, None, mirrors) == tmp_path / "variable" / "file"
    assert download("file", CHECKSUM, tmp_path / "own", mirrors) == tmp_path / "own" / "file"


def test_both_files_of_a_split_are_downloaded(server, tmp_path, monkeypatch):
    folder = tmp_path / "served"
    folder.mkdir()
    _, labels = write_mnist(folder, {"test": 5})["test"]
    for path in folder.iterdir():
        server.files[f"/{path.name}"] = content = path.read_bytes()
        monkeypatch.setitem(SHA256, path.name, hashlib.sha256(content).hexdigest())
    data = mnist("test", cache=tmp_path / "cache", mirrors=[f"{server.address}/"])
    np.testing.assert_array_equal(data.y, labels)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == [
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ]
