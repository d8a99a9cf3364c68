"""Requests whose answers were lost: the same request again goes under the same key, so that it is done once."""

import secrets

MOST = 100


class Repeats:
    """The keys of requests of which nobody knows whether they were done, the latest so many."""

    def __init__(self) -> None:
        self._keys: dict[tuple[str, bytes], str] = {}

    def key(self, path: str, content: bytes) -> str:
        """The key for a request: that of the same one before, where its answer was lost."""
        return self._keys.pop((path, content), None) or f'"{secrets.token_urlsafe(16)}"'

    def lost(self, path: str, content: bytes, key: str) -> None:
        """There is no answer."""
        self._keys[path, content] = key
        if len(self._keys) > MOST:
            del self._keys[next(iter(self._keys))]
