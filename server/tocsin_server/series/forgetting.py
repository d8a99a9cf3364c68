"""Words and sets of labels that no series carries any more are forgotten.

Containers come and go, and with each a name that is never seen again. When there are twice as many words as
after the last time, everything that is in use is numbered anew: 70 ms for three million series, seldom.
"""

import numpy as np

from tocsin_server.series.rings import Rings

_FEW = 100_000
_NONE = np.zeros(1, np.int32)


class Forgetting:
    """When it is time, and how it is done."""

    def __init__(self, rings: Rings, *, few: int = _FEW) -> None:
        self._rings = rings
        self._few = few
        self._limit = few

    @property
    def is_due(self) -> bool:
        """Whether most of what is known may be in nobody's use."""
        return len(self._rings.catalogue) > self._limit

    def forget(self) -> None:
        """Number anew; every selection has to be made again."""
        rings = self._rings
        banks = list(rings.banks.values())
        metrics = np.unique(np.concatenate([_NONE, *(bank.metrics for bank in banks)]))
        live_sets = np.unique(np.concatenate([_NONE, *(bank.sets[bank.metrics > 0] for bank in banks)]))
        targets = rings.owners.targets
        words = rings.catalogue.symbols.word
        new_metrics, new_sets = rings.catalogue.forget(metrics[metrics > 0], live_sets)
        code = rings.catalogue.symbols.code
        for bank in banks:
            bank.metrics = new_metrics[bank.metrics]
            bank.sets = new_sets[bank.sets]
        distinct, inverse = np.unique(targets, return_inverse=True)
        renamed = np.array([code(words(old)) for old in distinct.tolist()], np.int32)
        rings.owners.targets = renamed[inverse].reshape(targets.shape)
        rings.generations.clear()
        rings.touch(new_metrics[new_metrics > 0])
        self._limit = max(self._few, 2 * len(rings.catalogue))
