"""Graph digest: the topology of the work, free of names that change from run to run."""

from collections.abc import Sequence
from dataclasses import dataclass

from mrv_assets.audit.canonical import Json, digest

SCHEME = "mrv-steps/0"


@dataclass(frozen=True, kw_only=True)
class Step:
    """One operation of a stage on each block (or on the tile), as declared beside the code that does it."""

    name: str
    function: str
    """Dotted name of the function that does it."""
    reads: tuple[str, ...]
    """Variables and steps it reads."""


def graph_digest(steps: Sequence[Step], leaves: Json) -> str:
    """SHA-256 of a stage's declared steps, in order, over its leaves (upstream variables and chunking)."""
    return digest(
        {
            "scheme": SCHEME,
            "leaves": leaves,
            "steps": [{"name": s.name, "function": s.function, "reads": list(s.reads)} for s in steps],
        }
    )
