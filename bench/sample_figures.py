"""Print a Markdown table of a shop's figures beside the measured ones: python bench/sample_figures.py SHOP_DIR

SHOP_DIR may be any folder of the six CSV files of the Instacart layout, generated or real.
"""

import sys
from pathlib import Path

from nextbasket.grocery.sample.measure import Measured

print("| figure | measured | this shop | tolerance | kept |\n|---|---|---|---|---|")
for figure in Measured(Path(sys.argv[1])).figures():
    kept = "yes" if figure.kept else "**no**"
    print(f"| {figure.name} | {figure.target:.4f} | {figure.reached:.4f} | {figure.tolerance:.4f} | {kept} |")
