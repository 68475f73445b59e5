"""Feature definitions and the feature job."""

from nextbasket.features.baseline import BASELINE_FEATURES, KEYS
from nextbasket.features.builds import DATABASES, AsOf
from nextbasket.features.job import FeatureJob

__all__ = ["BASELINE_FEATURES", "DATABASES", "KEYS", "AsOf", "FeatureJob"]
