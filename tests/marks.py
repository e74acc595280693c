"""Parameters of the slow tests alone."""

from typing import Any

import pytest

__all__ = ["slow"]


def slow(*values: Any, id: str | None = None) -> Any:
    """One more set of parameters, beyond what the default run tries."""
    return pytest.param(*values, marks=pytest.mark.slow, id=id)
