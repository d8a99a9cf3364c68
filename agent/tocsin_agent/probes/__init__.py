"""Other things that this agent looks at: the devices that its server has declared it to probe.

Nothing of this is loaded before a device is declared. `site` wires it: `follow` fetches the `book`, `rota` says
who is due, `visit` asks a device in each way of `registry`, `prober` makes frames of what came of it.
"""
