"""Recent samples in numpy: what the agents have sent, laid out so that a rule reads a whole fleet at once.

`head` is the store of the running server: rings of samples, one row a series. `fixed` is a store made of
explicit series, for tests, `rules test` and charts. Both answer the two questions that an evaluation asks, a
sample at a moment and a window of samples, with the same staleness and the same lookback, and both describe
their rows by `labels.Labels`: columns of codes, with the client and the host beside them.
"""
