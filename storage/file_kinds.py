"""Kinds of files, and which an assistant takes; apart from the tables, for rules to use."""

from dataclasses import dataclass, field
from enum import StrEnum


class FileKind(StrEnum):
    """What a file is to an assistant."""

    IMAGE = "image"
    DOCUMENT = "document"


class Accepts(StrEnum):
    """Which files may be sent to an assistant."""

    NONE = "none"
    IMAGES = "images"
    DOCUMENTS = "documents"
    BOTH = "both"


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that was drawn for an answer, whole."""

    name: str
    media_type: str
    """By its content."""
    width: int | None
    height: int | None
    content: bytes = field(repr=False)
