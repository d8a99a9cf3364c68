"""The central server: it takes what agents push, judges it by rules, and keeps the desk.

`app.py` is the composition root, the only place that wires; everything else is given what it needs.
"""
