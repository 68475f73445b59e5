"""Answer questions about predictions from the result tables: one shopper, one product, the shop as a whole."""

from dataclasses import dataclass
from typing import Any

from nextbasket.catalog.base import Catalog
from nextbasket.errors import NotFoundError
from nextbasket.model.inputs import ModelInputs
from nextbasket.model.score import NEXT_BASKETS, PREDICTIONS
from nextbasket.query.base import QueryEngine

PRODUCTS = "shop.products"

_SHOPPER = """
SELECT p.product_id, n.product_name, p.probability, b.rank, p.model_version
FROM results.predictions AS p
LEFT JOIN results.next_baskets AS b ON b.user_id = p.user_id AND b.product_id = p.product_id
LEFT JOIN shop.products AS n ON n.product_id = p.product_id
WHERE p.user_id = CAST(? AS {id_type})
ORDER BY p.probability DESC, p.product_id
"""

_RECOMMEND = """
SELECT p.product_id, n.product_name, p.units, p.shoppers
FROM (
  SELECT product_id, SUM(probability) AS units, COUNT(*) AS shoppers
  FROM results.predictions
  GROUP BY product_id
) AS p
LEFT JOIN shop.products AS n ON n.product_id = p.product_id
ORDER BY p.units DESC, p.product_id
LIMIT {top}
"""


@dataclass(frozen=True, slots=True)
class Prediction:
    """A product's probability for one shopper; ``rank`` is its place in the next basket, None when not in it."""

    product_id: int | str
    product_name: str | None
    probability: float
    rank: int | None
    model_version: str


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A product by demand: ``expected_units`` is the sum of its probabilities over its ``shoppers``."""

    product_id: int | str
    product_name: str | None
    expected_units: float
    shoppers: int


class Lookup:
    """Reads the result tables as they were when it was made; raises NotFoundError when nothing was scored yet."""

    def __init__(self, engine: QueryEngine, catalog: Catalog) -> None:
        try:
            self._inputs = ModelInputs(engine, catalog, (PREDICTIONS, NEXT_BASKETS, PRODUCTS))
        except NotFoundError as missing:
            raise NotFoundError("there are no predictions yet; run 'nextbasket score' first.") from missing
        kinds = {column.name: column.type for column in catalog.table(PREDICTIONS).columns}
        self._user_type, self._product_type = kinds["user_id"], kinds["product_id"]

    def shopper(self, shopper: str, product: str | None = None) -> list[Prediction]:
        """Return a shopper's candidates, the most probable first, or the one product named.

        Raises NotFoundError for an unknown shopper and for a product the shopper never bought.
        """
        user = _id(shopper, self._user_type)
        query = _SHOPPER.format(id_type=_SQL_TYPE[self._user_type == "bigint"])
        rows = [] if user is None else self._inputs.table(query, [user]).to_pylist()
        if not rows:
            raise NotFoundError(
                f"there is no shopper '{shopper}' with a purchase history; "
                "the column user_id of shop.orders has the known ones."
            )
        found = [Prediction(**row) for row in rows]
        if product is None:
            return found
        wanted = [prediction for prediction in found if prediction.product_id == _id(product, self._product_type)]
        if not wanted:
            raise NotFoundError(
                f"shopper '{shopper}' never bought product '{product}'; only bought products are predicted. "
                f"See the predicted ones with: nextbasket predict --shopper {shopper}."
            )
        return wanted

    def recommend(self, top: int) -> list[Recommendation]:
        """Return the products with the most expected units over all shoppers' next orders."""
        rows: list[dict[str, Any]] = self._inputs.table(_RECOMMEND.format(top=int(top))).to_pylist()
        return [
            Recommendation(row["product_id"], row["product_name"], float(row["units"]), int(row["shoppers"]))
            for row in rows
        ]


_SQL_TYPE = {True: "BIGINT", False: "VARCHAR"}


def _id(text: str, kind: str) -> int | str | None:
    """Return an id in its column's type; None where the text cannot be one."""
    if kind != "bigint":
        return text
    try:
        number = int(text)
    except ValueError:
        return None
    return number if str(number) == text else None
