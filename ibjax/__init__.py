"""ibjax, the information-plane laboratory in JAX."""

from ibjax.plane import information_plane
from ibjax.version import __version__

__all__ = ["__version__", "information_plane"]
