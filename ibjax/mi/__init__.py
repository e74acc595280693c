"""Mutual-information estimators: pure functions, in bits, under ``jit`` and ``vmap``."""

from ibjax.mi.binned import binned_mi

__all__ = ["binned_mi"]
