"""The settings that say where a shop's files and tables are kept: ``[lake]`` and ``[catalog]``."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nextbasket.lake.base import Zone

_BUCKET = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"
_PREFIX = r"^[^*?\[\]{}]*$"
_URL = r"^https?://[^/]+/?$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ZoneSettings(_Part):
    """A zone's own place."""

    bucket: str | None = Field(default=None, pattern=_BUCKET, description="Its bucket; left out, the lake's.")
    prefix: str = Field(min_length=1, pattern=_PREFIX, description="The beginning of its objects' names.")


class LakeSettings(_Part):
    """Where files are kept."""

    kind: Literal["local", "s3"] = Field(default="local", description="The home's folder, or S3.")
    endpoint: str | None = Field(default=None, pattern=_URL, description="An S3 that is not AWS's, as a URL.")
    region: str | None = Field(default=None, description="The AWS region; left out, the one boto3 finds.")
    bucket: str | None = Field(default=None, pattern=_BUCKET, description="The bucket of all zones.")
    prefix: str = Field(default="", pattern=_PREFIX, description="The beginning of all objects' names.")
    zones: dict[Zone, ZoneSettings] = Field(default={}, description="Places of single zones, by their name.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "s3" and self.bucket is None:
            raise ValueError("a lake on S3 needs a bucket: set bucket")
        if self.kind == "local" and self.model_fields_set - {"kind"}:
            given = ", ".join(sorted(self.model_fields_set - {"kind"}))
            raise ValueError(f'{given} only count for a lake on S3: set kind = "s3"')
        return self


class CatalogSettings(_Part):
    """Where tables are known."""

    kind: Literal["local", "glue"] = Field(default="local", description="SQLite in the home, or AWS Glue.")
    prefix: str = Field(
        default="", pattern=r"^[a-z0-9_]*$", description="The beginning of Glue's database names: one for each shop."
    )
    endpoint: str | None = Field(default=None, pattern=_URL, description="A Glue that is not AWS's, as a URL.")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.kind == "local" and self.model_fields_set - {"kind"}:
            given = ", ".join(sorted(self.model_fields_set - {"kind"}))
            raise ValueError(f'{given} only count for Glue: set kind = "glue"')
        return self
