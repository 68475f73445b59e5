"""The declaration holds together: names are unique, the order respects ``after``, what is read was written before."""

from nextbasket.pipeline.steps import PIPELINE, step


def test_names_are_unique() -> None:
    names = [one.name for one in PIPELINE]
    assert len(names) == len(set(names))


def test_each_step_stands_after_the_steps_it_needs() -> None:
    seen: set[str] = set()
    for one in PIPELINE:
        assert set(one.after) <= seen, one.name
        seen.add(one.name)


def test_each_thing_read_is_written_by_an_earlier_step() -> None:
    written: set[str] = set()
    for one in PIPELINE:
        assert set(one.reads) <= written, (one.name, set(one.reads) - written)
        written |= set(one.writes)


def test_nothing_is_written_by_two_steps() -> None:
    written = [name for one in PIPELINE for name in one.writes]
    assert len(written) == len(set(written))


def test_training_features_come_from_no_table_that_holds_the_label() -> None:
    for name in ("prepare-training", "features-training"):
        assert "shop.order_products" not in step(name).reads
