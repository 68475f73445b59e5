"""models, predict, recommend: look at models and at what they predict."""

from dataclasses import asdict
from typing import Annotated

import typer

from nextbasket.cli.session import session
from nextbasket.cli.text import aligned


def add_to(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (models, predict, recommend):
        app.command()(command)


def models(context: typer.Context) -> None:
    """List the registered models."""
    called = session(context)
    with called.shop() as shop:
        cards = shop.registry.cards()

    def text() -> str:
        rows = []
        for card in cards:
            auc = card.metrics.get("auc")
            rows.append(
                (
                    card.full_name,
                    f"{card.fraction:.0%}",
                    str(len(card.features)),
                    str(card.rounds),
                    f"{card.threshold:.3f}",
                    "-" if auc is None else f"{auc['value']:.4f}",
                    card.trained_at,
                )
            )
        return aligned(("model", "shoppers", "features", "rounds", "threshold", "AUC", "trained"), rows)

    called.answer([asdict(card) for card in cards], text)


def predict(
    context: typer.Context,
    shopper: Annotated[str, typer.Option(help="The shopper's id.")],
    product: Annotated[str | None, typer.Option(help="One product's id.")] = None,
    top: Annotated[int, typer.Option(min=1, help="How many products to show.")] = 20,
) -> None:
    """Show a shopper's most probable products, or the probability of one."""
    from nextbasket.model.lookup import Lookup

    called = session(context)
    with called.shop() as shop:
        found = Lookup(shop.engine, shop.catalog).shopper(shopper, product)[:top]
        live = shop.settings.model.live
    scored_by = found[0].model_version
    if scored_by.rpartition("/")[0] != live:
        called.note(f"these predictions are by {scored_by}, and model.live is {live}: run 'nextbasket score'.")
    rows = [
        (f"{one.probability:.4f}", str(one.rank or ""), str(one.product_id), one.product_name or "") for one in found
    ]
    called.answer(
        {"shopper": shopper, "predictions": [asdict(one) for one in found]},
        lambda: aligned(("probability", "in basket", "product", "name"), rows),
    )


def recommend(
    context: typer.Context, top: Annotated[int, typer.Option(min=1, max=10_000, help="How many products.")] = 20
) -> None:
    """Show the products most likely bought next, over all shoppers."""
    from nextbasket.model.lookup import Lookup

    called = session(context)
    with called.shop() as shop:
        found = Lookup(shop.engine, shop.catalog).recommend(top)
    rows = [
        (f"{one.expected_units:,.1f}", f"{one.shoppers:,}", str(one.product_id), one.product_name or "")
        for one in found
    ]
    called.answer(
        [asdict(one) for one in found],
        lambda: aligned(("expected units", "shoppers", "product", "name"), rows),
    )
