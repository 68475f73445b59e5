"""Export the next baskets in the competition's form.

The header is ``order_id,products``; product ids stand with spaces between them, ``None`` where the basket is empty.
"""

import csv
import os
import tempfile
from pathlib import Path

from nextbasket.errors import HomeError
from nextbasket.model.inputs import ORDERS, ModelInputs
from nextbasket.model.score import NEXT_BASKETS

_QUERY = """
SELECT o.order_id, b.product_id
FROM shop.orders AS o
LEFT JOIN results.next_baskets AS b ON b.user_id = o.user_id
WHERE o.eval_set = 'test'
ORDER BY o.order_id, b.rank
"""

TABLES = (ORDERS, NEXT_BASKETS)
"""The tables the export reads."""


def write_submission(inputs: ModelInputs, path: Path) -> int:
    """Write one line per ``test`` order, ordered by order id, whole or not at all; returns the number of orders."""
    orders = 0
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", encoding="utf-8", newline="", dir=path.parent, prefix=f".{path.name}.", delete=False
        ) as file:
            try:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(("order_id", "products"))
                current: object = None
                products: list[str] = []
                for batch in inputs.batches(_QUERY):
                    # Plain lists: one line of text per order is what the form asks for.
                    for order, product in zip(
                        batch.column("order_id").to_pylist(), batch.column("product_id").to_pylist(), strict=True
                    ):
                        if order != current:
                            if orders:
                                writer.writerow((current, " ".join(products) or "None"))
                            current, products, orders = order, [], orders + 1
                        if product is not None:
                            products.append(str(product))
                if orders:
                    writer.writerow((current, " ".join(products) or "None"))
                file.flush()
                os.fsync(file.fileno())
                Path(file.name).replace(path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
    except OSError as fault:
        raise HomeError(f"the export {path} cannot be written: {fault}") from fault
    return orders
