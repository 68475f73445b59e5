"""The settings of a shop home: ``nextbasket.toml``, read and checked in one place."""

import tomllib
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nextbasket.errors import HomeError

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

    live: str = Field(default="final", pattern=r"^[a-z][a-z0-9-]*$", description="The model that scores and predicts.")
    sample_fraction: float = Field(
        default=0.1, gt=0, le=1, description="Share of the shoppers the first, sample model sees."
    )


class SampleSettings(_Part):
    """The generated shop that ``run`` starts with when a home is empty and no source is named."""

    shoppers: int = Field(default=5_000, ge=1, le=10_000_000, description="Shoppers to generate.")


class Settings(_Part):
    """All settings; every one has a default, so an empty file is complete."""

    seed: int = Field(
        default=1, ge=0, le=2**31 - 1, description="Seed of everything random: sample shop, split, training."
    )
    engine: EngineSettings = EngineSettings()
    landing: LandingSettings = LandingSettings()
    model: ModelSettings = ModelSettings()
    sample: SampleSettings = SampleSettings()


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
        faults = "\n".join(
            f"  - {'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in error.errors()
        )
        raise HomeError(f"{path} has settings that cannot be used:\n{faults}") from error
