"""Finds code that writes, or could write, the ledger's tables: by its syntax, without running it.

Two places may write them, the books in `storage` and the migrations; neither is looked at here.
Elsewhere in `storage` the tables are read; outside `storage` even their classes are unknown. What
no syntax shows, such as a row that is changed under another name and flushed, is stopped at run
time by `storage.models.books_rows`.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from inspect import isclass
from typing import Final

from sqlmodel import SQLModel

from storage.models import money

TABLES: Final = (
    "wallet", "credit_grant", "hold", "allocation", "entry", "refund", "wallet_change",
)  # fmt: skip
"""The ledger's own, those to come included."""
CLASSES: Final = frozenset(
    name
    for name, kind in vars(money).items()
    if isclass(kind)
    and issubclass(kind, SQLModel)
    and getattr(kind, "__tablename__", "") in TABLES
)
MONEY: Final = money.__name__
TOTALS: Final = frozenset(
    {"remaining", "held", "credits", "debits", "balance", "balance_after", "captured", "revoked"}
)
WRITERS: Final = frozenset(
    {
        "insert",
        "update",
        "delete",
        "merge",
        "query",
        "bulk_insert_mappings",
        "bulk_update_mappings",
    }
)
"""Functions and methods that write the rows of a class they are given first."""
STATEMENTS: Final = frozenset({"execute", "executemany", "executescript", "exec_driver_sql"})
"""Methods that carry out SQL text."""
_ANY: Final = "\x00"
"""What stands in an f-string for a value."""
_TABLE: Final = (  # perhaps with a schema, perhaps in quotes, perhaps filled in later
    r"""(?:["`\[]?\w+["`\]]?\s*\.\s*)?["`\[]?(?:(?:""" + "|".join(TABLES) + r""")\b|\x00|%s|\{)"""
)
_WRITES: Final = re.compile(
    r"\b(?:INSERT\s+(?:OR\s+\w+\s+)?INTO|REPLACE\s+INTO|DELETE\s+FROM(?:\s+ONLY)?|MERGE\s+INTO"
    rf"|TRUNCATE(?:\s+TABLE)?(?:\s+ONLY)?|COPY)\s+{_TABLE}"
    rf"|\bUPDATE(?:\s+OR\s+\w+|\s+ONLY)?\s+{_TABLE}[^;]*?(?:\bSET\b|\x00)",  # else it is prose
    re.IGNORECASE,
)
_FUNCTIONS: Final = re.compile(  # whichever there are, also one that is named only when it runs
    r"\bledger_(?:\w|\x00|%s|\{\w*\})+\s*\(", re.IGNORECASE
)


def found_outside_storage(tree: ast.Module) -> list[str]:
    """What code that is none of the storage's must not do; each with its line."""
    return sorted({*_sql(tree), *_imports(tree), *_assignments(tree), *_statements(tree)})


def found_in_storage(tree: ast.Module) -> list[str]:
    """What the storage must not do outside its books; each with its line."""
    return sorted({*_sql(tree), *_assignments(tree), *_rows(tree)})


def _sql(tree: ast.Module) -> Iterator[str]:
    """Text that writes a table of the ledger, or one that is named only when it runs."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if id(node) in docstrings:
            continue
        text = _text(node)
        if text and (_WRITES.search(text) or _FUNCTIONS.search(text)):
            yield f"{_line(node)}: writes the ledger by SQL"


def _text(node: ast.AST) -> str:
    """The text of a string, of an f-string, of strings added or formatted; else nothing."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_text(part) or _ANY for part in parts)
        case ast.BinOp(op=ast.Add(), left=left, right=right):
            return (_text(left) or _ANY) + (_text(right) or _ANY)
        case _:
            return ""


def _imports(tree: ast.Module) -> Iterator[str]:
    """The classes of the tables, by whatever way they could be had."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                taken = {name.name for name in names} & {MONEY}
            case ast.ImportFrom(module=str(module), names=names):
                full = {f"{module}.{name.name}" for name in names}
                refused = {f"{MONEY}.{name}" for name in (*CLASSES, "*")} | {MONEY}
                taken = full & refused
            case _:
                continue
        for name in taken:
            yield f"{_line(node)}: imports {name}"


def _assignments(tree: ast.Module) -> Iterator[str]:
    """Totals that are set on something else than oneself."""
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=value, attr=name, ctx=ast.Store() | ast.Del()) if (
                name in TOTALS and not _is_self(value)
            ):
                yield f"{_line(node)}: sets {name}"
            case ast.Call(
                func=ast.Name(id="setattr"), args=[value, ast.Constant(value=name), _]
            ) if name in TOTALS and not _is_self(value):
                yield f"{_line(node)}: sets {name}"


def _statements(tree: ast.Module) -> Iterator[str]:
    """SQL carried out as text."""
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(attr=name)) if name in STATEMENTS:
                yield f"{_line(node)}: calls {name}"
            case ast.Call(func=ast.Attribute(attr="exec"), args=[given, *_]) if _text(given):
                yield f"{_line(node)}: calls exec with text"
            case ast.ImportFrom(names=names) if any(name.name == "text" for name in names):
                yield f"{_line(node)}: imports text"


def _rows(tree: ast.Module) -> Iterator[str]:
    """Rows of the tables that are made, and statements that write them."""
    names = _names_of_classes(tree)
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=made) if _class(made, names):
                yield f"{_line(node)}: makes a {_class(made, names)}"
            case ast.Call(func=ast.Name(id=verb) | ast.Attribute(attr=verb), args=[kind, *_]) if (
                verb in WRITERS and _class(kind, names)
            ):
                yield f"{_line(node)}: gives {_class(kind, names)} to {verb}"
            case ast.Attribute(value=kind, attr="__table__" | "model_validate") if _class(
                kind, names
            ):
                yield f"{_line(node)}: goes around {_class(kind, names)}"


def _names_of_classes(tree: ast.Module) -> Mapping[str, str]:
    """By the name in this module, the table's class; modules keep theirs after a dot."""
    return {
        name.asname or name.name: name.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == MONEY
        for name in node.names
        if name.name in CLASSES
    }


def _class(node: ast.expr, names: Mapping[str, str]) -> str:
    """The table's class that an expression names, or nothing."""
    match node:
        case ast.Name(id=name):
            return names.get(name, "")
        case ast.Attribute(value=ast.Name() | ast.Attribute(), attr=name) if name in CLASSES:
            return name
        case _:
            return ""


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id == "self"


def _line(node: ast.AST) -> str:
    return f"{getattr(node, 'lineno', 0):>4}"
