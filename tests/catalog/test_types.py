import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nextbasket.catalog.base import Column
from nextbasket.catalog.types import FIELD_ID, arrow_schema, columns_of, to_arrow, to_text
from nextbasket.errors import InputError


@pytest.mark.parametrize(
    ("text", "arrow", "back"),
    [
        ("BIGINT", pa.int64(), "bigint"),
        (" integer ", pa.int32(), "int"),
        ("real", pa.float32(), "float"),
        ("varchar", pa.string(), "string"),
        ("varchar(20)", pa.string(), "string"),
        ("char( 3 )", pa.string(), "string"),
        ("decimal", pa.decimal128(10, 0), "decimal(10,0)"),
        ("decimal(7)", pa.decimal128(7, 0), "decimal(7,0)"),
        ("decimal(38, 38)", pa.decimal128(38, 38), "decimal(38,38)"),
        ("timestamp", pa.timestamp("us"), "timestamp"),
        ("Array< Map<string , INT> >", pa.list_(pa.map_(pa.string(), pa.int32())), "array<map<string,int>>"),
        (
            "struct<größe:double, tag id:array<string>>".replace("tag id", "tag-id"),
            pa.struct([("größe", pa.float64()), ("tag-id", pa.list_(pa.string()))]),
            "struct<größe:double,tag-id:array<string>>",
        ),
    ],
)
def test_athenas_words_and_spacing_are_understood(text: str, arrow: pa.DataType, back: str) -> None:
    assert to_arrow(text) == arrow
    assert to_text(arrow) == back


PRIMITIVES = st.sampled_from(
    ["boolean", "tinyint", "smallint", "int", "bigint", "float", "double", "string", "binary", "date", "timestamp"]
) | st.integers(1, 38).flatmap(lambda p: st.integers(0, p).map(lambda s: f"decimal({p},{s})"))
TYPES = st.recursive(
    PRIMITIVES,
    lambda inner: (
        inner.map(lambda t: f"array<{t}>")
        | st.tuples(PRIMITIVES, inner).map(lambda kv: f"map<{kv[0]},{kv[1]}>")
        | st.lists(inner, min_size=1, max_size=3).map(
            lambda ts: f"struct<{','.join(f'f{i}:{t}' for i, t in enumerate(ts))}>"
        )
    ),
    max_leaves=6,
)


@given(TYPES)
def test_every_type_survives_the_way_to_arrow_and_back(text: str) -> None:
    assert to_text(to_arrow(text)) == text


@pytest.mark.parametrize(
    "text",
    ["", "money", "array", "array<int", "array<>", "map<int>", "struct<>", "struct<a>", "struct<a:int,a:int>", "char",
     "decimal(0,0)", "decimal(39,0)", "decimal(5,6)", "decimal(x)", "decimal(1,2,3)", "varchar()", "int int", "int(3)"],
)  # fmt: skip
def test_what_athena_does_not_know_is_named(text: str) -> None:
    with pytest.raises(InputError) as caught:
        to_arrow(text)
    assert f"the type {text!r} is not one Athena knows" in str(caught.value)


@pytest.mark.parametrize(
    ("arrow", "text"),
    [
        (pa.large_string(), "string"),
        (pa.string_view(), "string"),
        (pa.timestamp("ns"), "timestamp"),
        (pa.dictionary(pa.int8(), pa.string()), "string"),
        (pa.large_list(pa.int64()), "array<bigint>"),
        (pa.list_(pa.float32(), 3), "array<float>"),
    ],
)
def test_arrows_other_forms_of_a_type_are_that_type(arrow: pa.DataType, text: str) -> None:
    assert to_text(arrow) == text


@pytest.mark.parametrize(
    "arrow",
    [pa.timestamp("us", tz="UTC"), pa.uint64(), pa.null(), pa.time64("us"), pa.decimal256(40, 2), pa.list_(pa.null())],
)
def test_an_arrow_type_without_an_athena_type_is_named_with_its_column(arrow: pa.DataType) -> None:
    with pytest.raises(InputError, match=r"column price: Athena has no type for Arrow's"):
        columns_of(pa.schema([("price", arrow)]))


def test_a_schema_has_optional_columns_and_names_the_faulty_one() -> None:
    columns = (Column("a", "bigint"), Column("b", "array<string>"))
    schema = arrow_schema(columns)
    assert all(field.nullable and field.metadata is None for field in schema)
    assert columns_of(schema) == columns
    with pytest.raises(InputError, match=r"column b: the type 'strin'"):
        arrow_schema((Column("a", "bigint"), Column("b", "strin")))


def test_field_ids_count_columns_first_and_then_what_is_inside() -> None:
    schema = arrow_schema(
        (Column("a", "struct<x:int,y:array<string>>"), Column("b", "map<string,int>"), Column("c", "int")),
        field_ids=True,
    )

    def field_id(field: pa.Field) -> int:
        return int(field.metadata[FIELD_ID])

    assert [field_id(field) for field in schema] == [1, 2, 3]
    inside_a = list(schema.field("a").type)
    assert [field_id(field) for field in inside_a] == [4, 5]
    assert field_id(inside_a[1].type.value_field) == 6
    assert [field_id(schema.field("b").type.key_field), field_id(schema.field("b").type.item_field)] == [7, 8]
