"""MNIST handwritten digits, from a folder or downloaded once, with known checksums."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from ibjax.checks import check_known, check_rank, check_same_length, kind_of
from ibjax.datasets.idx import as_path, read_idx
from ibjax.types import LabelledSamples

__all__ = ["CACHE_VARIABLE", "MIRRORS", "SHA256", "download", "mnist"]

# split -> (images, labels)
FILES = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}

SHA256 = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}

MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)

# Environment variable that names the folder of downloaded files.
CACHE_VARIABLE = "IBJAX_DATA"

# Retries per mirror before the next is tried, and time to wait for an answer.
RETRIES, TIMEOUT_SECONDS = 2, 30

SIDE, NUM_CLASSES = 28, 10


def mnist(
    split: str = "train",
    *,
    folder: str | Path | None = None,
    cache: str | Path | None = None,
    mirrors: Sequence[str] = MIRRORS,
) -> LabelledSamples:
    """Load images and labels of handwritten digits.

    Args:
        split: "train", 60,000 images, or "test", 10,000.
        folder: folder of the files, gzipped or plain, under their usual names
            (``train-images-idx3-ubyte.gz``, ``train-images.idx3-ubyte``, ...); they may hold fewer
            images. None: files are downloaded on first use, which requires pooch.
        cache: folder for downloaded files; by default that of the environment variable ``IBJAX_DATA``,
            or else the user's cache folder of "ibjax".
        mirrors: base addresses to which file names are appended, tried in this order.

    Returns:
        ``Dataset``: x (n, 784) float32, pixels / 255, row by row; y (n,) int32 from 0 to 9.

    Raises:
        ValueError: for an unknown split; invalid folders or mirrors; files that are missing, damaged,
            truncated or not MNIST files; different numbers of images and labels; a download that fails,
            or without pooch.

    References:
        LeCun, Bottou, Bengio & Haffner (1998), Gradient-based learning applied to document recognition.
    """
    check_known("split", split, FILES)
    names = FILES[split]
    if folder is not None:
        images, labels = (read_idx(path) for path in _find(as_path("folder", folder), names))
    else:
        paths = [download(f"{name}.gz", SHA256[f"{name}.gz"], cache, mirrors) for name in names]
        images, labels = map(read_idx, paths)
    _check(images, labels)
    x = images.reshape(len(images), -1).astype(np.float32) / 255
    return LabelledSamples(jnp.asarray(x), jnp.asarray(labels, jnp.int32))


def download(
    name: str, sha256: str, cache: str | Path | None = None, mirrors: Sequence[str] = MIRRORS
) -> Path:
    """Download a file to the cache folder, from the first mirror that has it, and return its path.

    A file that is already there is not downloaded again; one of that name with other contents is
    replaced.

    Args:
        name: name of the file.
        sha256: SHA-256 of its contents, in hexadecimal.
        cache: folder for downloaded files, as in :func:`mnist`.
        mirrors: base addresses to which the name is appended; each is tried three times.

    Raises:
        ValueError: for arguments that are not text; without pooch, or if no mirror has the file, saying
            what to do instead.
    """
    for what, text in (("name", name), ("sha256", sha256)):
        if not isinstance(text, str):
            raise ValueError(f"{what}: expected text, got {kind_of(text)}")
    cache = None if cache is None else as_path("cache", cache)
    given = isinstance(mirrors, list | tuple) and all(isinstance(mirror, str) for mirror in mirrors)
    if not given or not mirrors:
        raise ValueError(f"mirrors: expected a list of addresses, got {kind_of(mirrors)}")
    try:
        import pooch
    except ImportError as error:
        raise ValueError(
            "folder: expected a folder with the files of MNIST, or the package pooch to download them; "
            f'got None and no pooch. Run pip install "ibjax[mnist]"; or {_by_hand(in_cache=False)}.'
        ) from error
    http: Any = pooch.HTTPDownloader  # its annotations exclude custom bars and pooch's own functions
    failures = []
    for mirror in mirrors:
        source = pooch.create(
            path=cache or pooch.os_cache("ibjax"),
            base_url=mirror,
            registry={name: f"sha256:{sha256}"},
            env=None if cache else CACHE_VARIABLE,
            retry_if_failed=RETRIES,
        )
        with _progress() as bar:
            fetch = http(progressbar=_Bar(bar, name), timeout=TIMEOUT_SECONDS)
            try:
                return Path(source.fetch(name, downloader=fetch))
            except (OSError, ValueError) as error:  # no answer or no such file; wrong checksum
                failures.append(f"{mirror}: {error}")
    raise ValueError(
        "\n  ".join(
            [
                f"folder: expected a folder with the files of MNIST, or a mirror that has {name}; got "
                f"None and no whole download. Without a network, {_by_hand()}.",
                *failures,
            ]
        )
    )


def _find(folder: Path, names: Sequence[str]) -> list[Path]:
    """Find the files with these names, under any of their spellings."""
    paths = []
    for name in names:
        spelled = [
            f"{stem}{end}" for stem in (name, name.replace("-idx", ".idx")) for end in (".gz", "")
        ]
        there = [folder / spelling for spelling in spelled if (folder / spelling).is_file()]
        if not there:
            raise ValueError(f"folder: expected {' or '.join(spelled)} in it, got {folder} without")
        paths.append(there[0])
    return paths


def _check(images: np.ndarray, labels: np.ndarray) -> None:
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or len(images) == 0:
        raise ValueError(f"images: expected shape (n, {SIDE}, {SIDE}), got shape {images.shape}")
    check_rank("labels", labels, 1, "(n,)")
    check_same_length("images", images, "labels", labels)
    if labels.max() >= NUM_CLASSES:
        raise ValueError(f"labels: expected 0 to {NUM_CLASSES - 1}, got {labels.max()}")


class _Bar:
    """A rich progress bar with the interface that pooch expects."""

    def __init__(self, bar: Progress, name: str):
        self._bar, self._task = bar, bar.add_task(name, total=None)
        self._total = 0

    @property
    def total(self) -> int:
        """Total number of bytes; setting it starts, or restarts, a download."""
        return self._total

    @total.setter
    def total(self, total: int) -> None:
        self._total = total
        self._bar.reset(self._task, total=total)

    def update(self, num_bytes: int) -> None:
        self._bar.advance(self._task, num_bytes)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        """Do nothing: rich removes the bar."""


def _progress() -> Progress:
    """Return a live progress bar that is silent if the output is not a terminal."""
    console = Console(stderr=True)
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn()
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _by_hand(*, in_cache: bool = True) -> str:
    """Return instructions for when nothing can be downloaded."""
    text = (
        f"get {', '.join(SHA256)} elsewhere (of the split in use is enough), put them into a folder and "
        "name it: folder=FOLDER, or --data FOLDER of the experiment"
    )
    return f"{text}; or put them into the folder that {CACHE_VARIABLE} names" if in_cache else text
