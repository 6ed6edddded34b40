"""What training looks like: points among its statistics, and the distance to the nearest."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2

Doubles = NDArray[np.float64]
Whole = NDArray[np.int64]


@dataclass(frozen=True)
class Prototypes:
    """Points in a space where the spread within an activity is the same in each direction."""

    whitening: Doubles
    """[features, features]: makes that space of the statistics; a distance in it is about 1 where
    they are as in training."""
    origin: Doubles
    """[features]: the middle of training, in that space."""
    points: Doubles
    """[prototypes, features], from the origin on."""

    def distance(self, features: Doubles) -> Doubles:
        """[steps] of [steps, features]: to the nearest."""
        places = features @ self.whitening - self.origin
        squares = (places**2).sum(axis=1)[:, None] + (self.points**2).sum(axis=1)
        nearest = (squares - 2 * places @ self.points.T).min(axis=1)
        return np.asarray(np.sqrt(np.maximum(nearest, 0)))


def fit(features: Doubles, labels: Whole, each: int, shrinkage: float, seed: int = 0) -> Prototypes:
    """`each` prototypes of every label, by k-means, of [steps, features] and labels [steps].

    The covariance within labels is moved by the share `shrinkage` towards its diagonal.
    """
    known = np.unique(labels)
    within = [features[labels == label] for label in known]
    covariance = np.cov(np.concatenate([part - part.mean(axis=0) for part in within]).T)
    diagonal = np.diag(np.diag(covariance))
    values, vectors = np.linalg.eigh((1 - shrinkage) * covariance + shrinkage * diagonal)
    whitening = vectors / np.sqrt(values * features.shape[1])
    random = np.random.default_rng(seed)
    origin = features.mean(axis=0) @ whitening
    places = [part @ whitening - origin for part in within]
    points = [kmeans2(part, each, minit="++", seed=random)[0] for part in places]
    return Prototypes(whitening, origin, np.concatenate(points))
