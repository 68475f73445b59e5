"""The settings of the crawler: what a crawl changes, and what is known about files that it would judge wrongly."""

from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

if TYPE_CHECKING:
    from nextbasket.ingest.crawl import CrawlPolicy


def _column_type(text: str) -> str:
    # Here, so that reading the settings of a command that needs no types costs no import of Arrow.
    from nextbasket.catalog.types import to_arrow
    from nextbasket.errors import InputError

    try:
        to_arrow(text)
    except InputError as error:
        raise ValueError(str(error)) from error
    return text.lower()


def _encoding(name: str) -> str:
    from nextbasket.ingest.classifiers import known_encoding

    if not known_encoding(name):
        raise ValueError(f"there is no encoding {name!r}; known are utf-8, latin-1, cp1252, utf-16 and others")
    return name


class ClassifierSettings(BaseModel):
    """What is known about the files of one landing table; what is left out is found out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal["csv", "json", "parquet", "avro", "orc", "excel"] | None = Field(
        default=None, description="What the files are, whatever their names end in."
    )
    delimiter: str | None = Field(default=None, min_length=1, max_length=1, description="Between the fields.")
    quote: str | None = Field(default=None, max_length=1, description='Around a field; "" where none is used.')
    header: bool | None = Field(default=None, description="Whether the first line names the columns.")
    columns: tuple[str, ...] = Field(default=(), description="The columns' names, in order, instead of the header's.")
    encoding: Annotated[str, AfterValidator(_encoding)] | None = Field(default=None, description="The text encoding.")
    types: dict[str, Annotated[str, AfterValidator(_column_type)]] = Field(
        default_factory=dict, description="Column types by column name, as Athena writes them."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.delimiter is not None and self.delimiter == self.quote:
            raise ValueError("delimiter and quote are the same sign")
        lowered = [name.strip().lower() for name in self.columns]
        if not all(lowered) or len(set(lowered)) != len(lowered):
            raise ValueError("columns must name each column, and none twice")
        return self


class CrawlerSettings(BaseModel):
    """What a crawl changes; docs/crawl.md."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    schema_change: Literal["UPDATE", "LOG"] = Field(
        default="UPDATE", description="UPDATE changes a table whose files changed, LOG only says how they differ."
    )
    delete: Literal["DEPRECATE", "DELETE", "LOG"] = Field(
        default="DEPRECATE", description="What to do with a table whose files are gone: mark it, drop it, only say so."
    )
    tables: dict[str, ClassifierSettings] = Field(
        default_factory=dict,
        description="What is known about the files of a landing table, by its folder.",
    )

    def policy(self) -> "CrawlPolicy":
        """Return them as the crawler takes them."""
        from nextbasket.catalog.base import ChangePolicy
        from nextbasket.ingest.classifiers import Classifier
        from nextbasket.ingest.crawl import CrawlPolicy, DeletePolicy

        return CrawlPolicy(
            ChangePolicy(self.schema_change),
            DeletePolicy(self.delete),
            {
                name.lower(): Classifier(
                    one.format,
                    one.delimiter,
                    one.quote,
                    one.header,
                    one.columns,
                    one.encoding,
                    {column.lower(): kind for column, kind in one.types.items()},
                )
                for name, one in self.tables.items()
            },
        )
