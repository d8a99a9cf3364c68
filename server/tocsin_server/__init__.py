"""The central server: it takes what agents push, judges it by rules, and keeps the desk.

`app.py` is the composition root, the only place that wires; everything else is given what it needs.
"""

import os

# No matrix is multiplied here; the threads that NumPy's library keeps for it, one a core, cost each start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
