from .plane import information_plane
from .plane_report import report
from .version import __version__

__all__ = ["__version__", "information_plane", "report"]
