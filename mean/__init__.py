"""The exact mean of an array, rounded once.

>>> import numpy as np
>>> from mean import compute_mean
>>> print(compute_mean([1e308, 1e308]))
1e+308
>>> print(compute_mean(np.array([1e100, 1.0, -1e100])))
0.3333333333333333
"""

from mean._compute import compute_mean
from mean._library import MeanError, Status, __version__, get_include, simd_level

__all__ = ["MeanError", "Status", "__version__", "compute_mean", "get_include", "simd_level"]
