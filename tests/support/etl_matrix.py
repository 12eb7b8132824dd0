"""All combinations of what an ETL server can be asked, and the few of them that cover every pair."""

import itertools
import random
from dataclasses import astuple, dataclass

KINDS = ("threaded", "fastapi", "flask")
SIZES = {"0": 0, "1": 1, "64K": 64 << 10, "8M": 8 << 20, "256M": 256 << 20}
OUTCOMES = ("ok", "raises", "midway", "slow", "gone", "refused", "500", "reset")
# Stages before the destination; inline the result comes back to the caller.
DELIVERIES = {"inline": 1, "direct": 1, "two": 2, "three": 3}


@dataclass(frozen=True)
class Case:
    """One combination."""

    kind: str
    comm: str
    source: str
    delivery: str
    how: str
    size: str
    outcome: str

    def __str__(self):
        return "-".join(astuple(self))

    @property
    def streaming(self):
        return self.how == "stream"

    @property
    def length(self):
        return SIZES[self.size]

    @property
    def stages(self):
        """Kinds of the pipeline's servers."""
        first = KINDS.index(self.kind)
        return [KINDS[(first + n) % 3] for n in range(DELIVERIES[self.delivery])]

    @property
    def replayable(self):
        """Whether the first stage can make its result once more."""
        return not self.streaming or self.source == "fqn" or self.comm == "hpull"

    def is_possible(self):
        if self.comm == "ws" and (self.kind != "fastapi" or self.streaming):
            return False
        if self.outcome == "midway":
            return self.streaming
        if self.outcome == "reset" and self.delivery == "inline":
            return self.comm == "hpull" and self.source == "bytes"
        return self.delivery != "inline" or self.outcome not in {"refused", "500"}


def all_cases():
    """Give every possible combination, the cheap ones first."""
    factors = (
        KINDS,
        ("hpush", "hpull", "ws"),
        ("bytes", "fqn"),
        DELIVERIES,
        ("transform", "stream"),
        SIZES,
        OUTCOMES,
    )
    return [case for values in itertools.product(*factors) if (case := Case(*values)).is_possible()]


def pairwise(cases):
    """Select cases that have every pair of values that any case has, and few of the largest size."""
    pairs = {case: set(itertools.combinations(enumerate(astuple(case)), 2)) for case in cases}
    missing = set().union(*pairs.values())
    order = list(cases)
    random.Random(2).shuffle(order)
    order.sort(key=lambda case: case.size == "256M")
    chosen = []
    for gain in range(21, 0, -1):
        for case in order:
            if len(pairs[case] & missing) >= gain:
                chosen.append(case)
                missing -= pairs[case]
    return chosen
