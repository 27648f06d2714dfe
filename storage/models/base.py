"""What all tables share: one metadata, a naming convention, column types for both databases."""

from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, Integer, LargeBinary, MetaData, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlmodel import SQLModel
from typing_extensions import override

# Named constraints can be altered by a migration and recognised in an error.
SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}


class BigInt(TypeDecorator[int]):
    """A whole number of 64 bits: BIGINT; INTEGER on SQLite, where row ids must be called so."""

    impl = BigInteger
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """INTEGER on SQLite, BIGINT elsewhere."""
        return dialect.type_descriptor(Integer() if dialect.name == "sqlite" else BigInteger())


class CompactId(TypeDecorator[str]):
    """A UUID in its canonical text form outside, 16 bytes inside: a third of the text's space."""

    impl = LargeBinary
    cache_ok = True

    @override
    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """BLOB on SQLite, UUID elsewhere."""
        return dialect.type_descriptor(
            LargeBinary() if dialect.name == "sqlite" else Uuid(as_uuid=False)
        )

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> Any:
        """The id as the database takes it."""
        if value is None or dialect.name != "sqlite":
            return value
        return UUID(value).bytes

    @override
    def process_result_value(self, value: Any, dialect: Dialect) -> str | None:
        """The id as people see it."""
        return str(UUID(bytes=value)) if isinstance(value, bytes) else value


def metadata() -> MetaData:
    """The metadata of all tables, complete: every module of models is imported first."""
    from storage.models import accounts, catalogue, conversations, money, people, purchase, vault

    for module in (accounts, catalogue, conversations, money, people, purchase, vault):
        assert module.SQLModel is SQLModel
    return SQLModel.metadata
