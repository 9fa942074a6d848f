"""What this process has counted: tests look at how much a figure grows."""

from vote.metrics.registry import REGISTRY


def figure(name: str, **labels: str) -> float:
    """The value of a series of this process; an error where there is none."""
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, f"there is no {name} with {labels}"
    return value
