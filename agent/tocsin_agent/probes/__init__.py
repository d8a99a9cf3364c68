"""Other things that this agent looks at: the devices that its server has declared it to probe.

Nothing of this is loaded before a device is declared. `book` holds what is declared, `round` looks at it.
"""
