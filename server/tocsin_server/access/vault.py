"""What this server alone can read: secrets are sealed, and words made marks, by a key from its `identity.key`.

A secret is sealed for its owner: the row of another does not open it. Whoever has the database without the data
folder, such as a dump of PostgreSQL, has neither.
"""

import hashlib
from base64 import b64decode, b64encode

from nacl.exceptions import CryptoError
from nacl.secret import Aead

from tocsin_server.errors import Misconfigured
from tocsin_server.estate.identity import KEY_FILE, ServerIdentity

_PURPOSE = b"tocsin sign-in"


class Vault:
    """Seals and marks. Shows nothing of its key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._box = Aead(key)

    def __repr__(self) -> str:
        return "Vault(…)"

    def seal(self, secret: str, owner: str) -> str:
        """The secret as text that only this vault opens, and only for this owner."""
        return b64encode(self._box.encrypt(secret.encode(), owner.encode())).decode()

    def open(self, sealed: str, owner: str) -> str:
        """The secret; raises `Misconfigured` where it was sealed by another key or for another."""
        try:
            return self._box.decrypt(b64decode(sealed), owner.encode()).decode()
        except (CryptoError, ValueError) as error:
            raise Misconfigured(
                f"what is sealed for {owner} cannot be opened with this data folder's key",
                remedy=f"restore {KEY_FILE} from the backup that goes with the database, or seal it anew",
            ) from error

    def mark(self, word: str) -> str:
        """The same for the same word, and nothing that the word could be guessed by."""
        return hashlib.blake2b(word.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).hexdigest()


def vault_of(identity: ServerIdentity) -> Vault:
    """The vault of a data folder."""
    return Vault(identity.derived(_PURPOSE))
