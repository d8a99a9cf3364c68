"""This agent's version, said in one place.

`importlib.metadata` would say it too, for seven megabytes of resident memory: it drags in `email`, `zipfile`
and `csv`. A test keeps the two equal.
"""

VERSION = "0.1.0"
