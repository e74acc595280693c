"""Small files in the format of MNIST, for tests that must run everywhere."""

import gzip
from pathlib import Path

import numpy as np


def idx_bytes(array: np.ndarray) -> bytes:
    """An array of unsigned bytes as an IDX file: its slow, obvious twin."""
    header = bytes([0, 0, 8, array.ndim])
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + sizes + array.astype(np.uint8).tobytes()


def write_mnist(folder: Path, sizes: dict[str, int], *, compress: bool = True) -> dict[str, tuple]:
    """The files of each split with its number of images: blurred spots, their place set by the label.

    Returns:
        split -> (images (n, 28, 28) uint8, labels (n,) uint8).
    """
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:28, :28]
    written = {}
    for split, size in sizes.items():
        labels = rng.integers(0, 10, size).astype(np.uint8)
        angle = 2 * np.pi * labels[:, None, None] / 10 + 0.2 * rng.normal(size=(size, 1, 1))
        distance = (rows - 14 - 8 * np.sin(angle)) ** 2 + (columns - 14 - 8 * np.cos(angle)) ** 2
        images = (255 * np.exp(-distance / 20)).astype(np.uint8)
        start = {"train": "train", "test": "t10k"}[split]
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = folder / f"{start}-{name}-ubyte{'.gz' if compress else ''}"
            path.write_bytes(gzip.compress(content) if compress else content)
        written[split] = images, labels
    return written
