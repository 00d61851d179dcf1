"""95% intervals of a model's figures, and of the difference between two models.

Means and differences are bootstrapped: the interval goes from the 2.5th to the 97.5th percentile
of the figure over resampled sets of items. The same number of items gets the same draws, so that
a figure can be reproduced. For a share of right answers the bootstrap interval has no width when
all are right, so shares get Wilson's interval.
"""

from collections.abc import Iterator, Sequence

import numpy as np

from gemma_ko_lib.runtime import UserError

DRAWS = 2000
_MOST_DRAWN = 2**22  # indices at once, and the values that they draw: 100 MB


def check_finite(values: Sequence[float], model: str) -> None:
    """Check that a model's figures are finite, before anything is averaged or compared.

    Args:
        values: what the model gave.
        model: its name, for the message.

    Raises:
        UserError: one is not finite.
    """
    if bad := int((~np.isfinite(values)).sum()):
        raise UserError(
            f"{bad:,} of {len(values):,} figures of {model} are not finite: its weights are "
            "damaged, or overflow the dtype that it computes in."
        )


def draws(items: int, seed: int = 0) -> np.ndarray:
    """Indices of resampled sets, [DRAWS, items]."""
    return np.random.default_rng(seed).integers(0, items, (DRAWS, items))


def interval(values, weights=None) -> tuple[float, float]:
    """95% interval of a mean over items, or of Σ values / Σ weights.

    Args:
        values: one number an item.
        weights: what the sum is divided by; 1 for each item when None.
    """
    values = np.asarray(values, float)
    weights = np.ones_like(values) if weights is None else np.asarray(weights, float)
    means = [values[drawn].sum(1) / weights[drawn].sum(1) for drawn in _parts_of_draws(len(values))]
    low, high = np.percentile(np.concatenate(means), [2.5, 97.5])
    return float(low), float(high)


def _parts_of_draws(items: int) -> Iterator[np.ndarray]:
    """The rows of `draws(items)`, as many at once as do not fill the memory for many items."""
    generator, rows = np.random.default_rng(0), max(1, _MOST_DRAWN // items)
    for start in range(0, DRAWS, rows):
        yield generator.integers(0, items, (min(rows, DRAWS - start), items))


def share_interval(right) -> tuple[float, float]:
    """95% interval of a share (Wilson, JASA 22, 1927), which is wide for few items.

    Args:
        right: 1 for each item that counts, 0 for the others, or a fraction.
    """
    n, share = len(right), float(np.mean(right))
    z = 1.959964
    middle = share + z * z / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    low, high = ((middle + sign * half) / (1 + z * z / n) for sign in (-1, 1))
    return max(0.0, float(low)), min(1.0, float(high))


def cluster_interval(values, clusters) -> tuple[float, float] | None:
    """95% bootstrap interval of a mean over items that come in clusters.

    Args:
        values: one number an item.
        clusters: the cluster of each item; a cluster is drawn whole or not at all.

    Returns:
        None where there is only one cluster: nothing then says how another would have turned out.
    """
    values = np.asarray(values, float)
    _, member = np.unique(np.asarray(clusters), return_inverse=True)
    sums, sizes = np.bincount(member, values), np.bincount(member).astype(float)
    return interval(sums, sizes) if len(sums) > 1 else None


def paired_difference(first, second, clusters=None) -> tuple[float, tuple[float, float] | None]:
    """Mean of second − first over the same items, and its 95% interval.

    Items are drawn in pairs, so an item that both models find hard cancels out.

    Args:
        first: one number an item.
        second: another model's.
        clusters: the cluster of each item where items come in clusters, as from
            `SuiteResult.clusters`; see `cluster_interval`.

    Returns:
        The mean and its interval, which is None of one item or one cluster.

    Raises:
        ValueError: not the same number of items.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.shape != second.shape:
        raise ValueError(f"{len(first)} and {len(second)} items cannot be paired")
    change = second - first
    clusters = range(len(change)) if clusters is None else clusters
    return float(change.mean()), cluster_interval(change, clusters)
