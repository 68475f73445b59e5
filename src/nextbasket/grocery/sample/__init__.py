"""A generated shop in the Instacart layout: invented shoppers with habits, calibrated to measured figures.

It is never the real data, and says so in the folder it writes.
"""

from nextbasket.grocery.sample.shop import SampleReport, generate

__all__ = ["SampleReport", "generate"]
