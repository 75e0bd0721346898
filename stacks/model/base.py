"""What every column of the model is made of: its base class, and values that several of them have."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_NAME = r"^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"

Label = Annotated[str, Field(pattern=DNS_LABEL)]
"""A DNS label (RFC 1123): a-z, 0-9 and '-', at most 63 characters."""

Domain = Annotated[str, Field(pattern=DNS_NAME, max_length=253)]
"""A DNS name of two labels or more."""

Port = Annotated[int, Field(ge=1, le=65535)]
Asn = Annotated[int, Field(ge=1, le=4294967294)]


class Model(BaseModel):
    """Base of every part of the model: immutable, unknown keys refused, camelCase in files."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)
