"""Kinds of files, and which an assistant takes; apart from the tables, for rules to use."""

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
