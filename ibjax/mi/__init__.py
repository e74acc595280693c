"""Mutual-information estimators: pure functions, in bits, under ``jit`` and ``vmap``.

Estimators for a layer, ``f(t, y, *, ...) -> MI(ixt, ity)``: ``binned_mi`` (with ``adaptive_edges``),
``exact_mi``, ``kde_mi``, ``noisy_mi``, ``quantised_mi``; with the bins of the papers' codes
``adaptive_binned_mi``, ``idnns_binned_mi``, ``revisiting_binned_mi``. Estimators for two variables,
``f(x, y, *, ...) -> bits``: ``discrete_mi``, ``edge_mi``, ``gaussian_mi``, ``ksg_mi``, ``renyi_mi``,
``ross_mi``, ``variational_mi``. Where an estimator can report more than the estimate, ``NAME_info``
returns it.
"""

import lazy_loader

# The names are those of __init__.pyi; a module is imported when one of its names is first used.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
