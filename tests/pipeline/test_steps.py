"""The declaration holds together: names are unique, the order respects ``after``, what is read was written before."""

import pytest

from nextbasket.pipeline.steps import PIPELINE, step, until


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


def test_until_takes_what_comes_before_and_no_more() -> None:
    names = [one.name for one in until(["features-training"])]
    assert names == ["land", "crawl", "load", "prepare-training", "features-training"]


def test_until_joins_the_ways_to_several_steps() -> None:
    names = [one.name for one in until(["features-serving", "features-training"])]
    assert names == [
        "land", "crawl", "load", "prepare-training", "features-training", "prepare-serving", "features-serving",
    ]  # fmt: skip


def test_until_the_last_steps_is_everything() -> None:
    assert until(["evaluate", "score"]) == PIPELINE


def test_until_an_unknown_step() -> None:
    with pytest.raises(KeyError):
        until(["bake"])
