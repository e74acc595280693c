"""Mutual-information estimators: pure functions, in bits, under ``jit`` and ``vmap``.

Of a layer, ``f(t, y, *, ...) -> MI(ixt, ity)``: ``binned_mi`` (with ``adaptive_edges``), ``exact_mi``,
``kde_mi``, ``noisy_mi``, ``quantised_mi``. Of two variables, ``f(x, y, *, ...) -> bits``:
``discrete_mi``, ``edge_mi``, ``gaussian_mi``, ``ksg_mi``, ``renyi_mi``, ``ross_mi``,
``variational_mi``. What more an estimator knows comes from its twin ``NAME_info``.
"""

import lazy_loader

# Names as __init__.pyi lists them: a module is imported when one of its names is asked for.
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
