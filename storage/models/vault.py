"""Sealed secrets: what a builder trusted us with, readable only with the master key.

`host.vault` seals and opens; this table keeps what it made. Associated data binds a ciphertext to
its table, row, column and version, so a swapped row does not open.
"""

from sqlmodel import Field, SQLModel

from storage.models.base import BigInt


class Secret(SQLModel, table=True):
    """One sealed secret: AES-256-GCM under a data key of its own, wrapped by the master key."""

    __tablename__ = "secret"

    id: str = Field(
        primary_key=True, description="a UUIDv7 or a name, part of the associated data"
    )
    owner_id: int | None = Field(default=None, foreign_key="account.id", sa_type=BigInt)
    purpose: str = Field(description="what it is for, as in `openai_key`")
    version: int = Field(default=1, description="advances when the value is replaced")
    ciphertext: bytes
    nonce: bytes
    wrapped_key: bytes
    wrap_nonce: bytes
    master_key_id: str = Field(
        description="which master key wrapped it: a fingerprint, not the key"
    )
    last4: str = Field(description="what a builder may see of it")
    bound_to: str = Field(default="", description="the upstream address it was checked against")
    created_at: int = Field(sa_type=BigInt)
    replaced_at: int | None = Field(default=None, sa_type=BigInt)
