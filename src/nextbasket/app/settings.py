"""The settings of a shop home: ``nextbasket.toml``, read and checked in one place."""

import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from nextbasket.app.crawler_settings import CrawlerSettings
from nextbasket.app.storage_settings import CatalogSettings, LakeSettings
from nextbasket.errors import HomeError
from nextbasket.model.definition import MODELS

FILE_NAME = "nextbasket.toml"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class EngineSettings(_Part):
    """How queries run."""

    memory_limit: str = Field(
        default="3GB", pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$", description="DuckDB's memory limit."
    )
    threads: int | None = Field(
        default=None, ge=1, le=256, description="Worker threads; the machine's cores when left out."
    )


class LandingSettings(_Part):
    """What ``land`` accepts."""

    largest_member_gb: float = Field(
        default=50.0, gt=0, description="Largest file taken out of an archive, in GB unpacked."
    )


class ModelSettings(_Part):
    """How models are trained and which one answers."""

    live: str = Field(default="final", description="The model that scores and predicts.")
    sample_fraction: float = Field(
        default=0.1, gt=0, le=1, description="Share of the shoppers the first, sample model sees."
    )

    @field_validator("live")
    @classmethod
    def _known(cls, live: str) -> str:
        model, _, share = live.partition("-")
        if model not in MODELS or not (not share or re.fullmatch(r"[0-9.]+pct", share)):
            names = ", ".join(MODELS)
            raise ValueError(f"there is no model '{live}'; known: {names}, and their samples, as baseline-10pct")
        return live


class SampleSettings(_Part):
    """The generated shop that ``run`` starts with when a home is empty and no source is named."""

    shoppers: int = Field(default=5_000, ge=1, le=10_000_000, description="Shoppers to generate.")


class QuerySettings(_Part):
    """What a statement of a person may use, and what is kept of it; the pipeline's own queries are not limited."""

    timeout_seconds: float | None = Field(
        default=1800.0, gt=0, description="Longest time a statement may take; Athena's is 30 minutes."
    )
    memory_limit: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+)?\s?(MB|GB|MiB|GiB)$",
        description="Memory of one statement; engine.memory_limit when left out.",
    )
    scan_limit: str | None = Field(
        default=None,
        pattern=r"^\d+(\.\d+)?\s?(MB|GB|TB|MiB|GiB|TiB)$",
        description="Most bytes of columns a statement may read; it is stopped before it runs.",
    )
    result_folder: str = Field(
        default="queries", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$", description="Folder in results/ of saved results."
    )
    history: int = Field(default=10_000, ge=1, description="How many of the newest statements are remembered.")


class UpkeepSettings(_Part):
    """How long versions and files that nothing needs are kept; docs/upkeep.md."""

    snapshots_older_than_days: float = Field(
        default=7.0, ge=0, description="Age in days from which a table's version may expire."
    )
    snapshots_keep_last: int = Field(default=5, ge=1, description="Versions of each table that are always kept.")
    orphans_older_than_hours: float = Field(
        default=24.0, ge=1, description="Age in hours from which a file that no version needs is deleted."
    )


class Settings(_Part):
    """All settings; every one has a default, so an empty file is complete."""

    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, description="Seed of everything random: sample shop, split, training."
    )
    lake: LakeSettings = LakeSettings()
    catalog: CatalogSettings = CatalogSettings()
    crawler: CrawlerSettings = CrawlerSettings()
    engine: EngineSettings = EngineSettings()
    landing: LandingSettings = LandingSettings()
    model: ModelSettings = ModelSettings()
    query: QuerySettings = QuerySettings()
    sample: SampleSettings = SampleSettings()
    upkeep: UpkeepSettings = UpkeepSettings()


def read_settings(home: Path) -> Settings:
    """Read a home's settings; a home without the file has the defaults.

    Raises HomeError that lists every fault at once, each with its setting's name.
    """
    path = home / FILE_NAME
    if not path.exists():
        return Settings()
    try:
        return Settings.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise HomeError(f"{path} is not valid TOML: {error}.") from error
    except ValidationError as error:
        faults = "\n".join(f"  - {_complaint(fault)}" for fault in error.errors())
        raise HomeError(f"{path} has settings that cannot be used:\n{faults}") from error


def _complaint(fault: ErrorDetails) -> str:
    """Return what is wrong with one setting; for an unknown one the known ones beside it, or the nearest."""
    place = [str(name) for name in fault["loc"]]
    said = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "extra_forbidden":
        part: Any = Settings
        for name in place[:-1]:
            # A table of settings by name, such as crawler.tables, holds them one level further in.
            part = part.model_fields[name].annotation if hasattr(part, "model_fields") else get_args(part)[1]
        near = get_close_matches(place[-1], part.model_fields, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(part.model_fields)}"
        said = f"there is no such setting; {hint}"
    return f"{'.'.join(place)}: {said}"
