"""SQLite, every commit durable: ours beside the default SQLModel pattern, and what that loses."""

from benchmarks.ledger.contestants import Ours, check_charges, open_shops
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import Line, limit_line, ratio_line
from benchmarks.ledger.rounds import Entrant, interleave
from benchmarks.ledger.sizes import Sizes
from benchmarks.ledger.sqlmodel_baseline import (
    DefaultDebit,
    DefaultPattern,
    PlainBooks,
    PlainLedger,
)
from storage.database import Database

TIMES_FASTER: float = 20
CPU_US_MOST: float = 150
P99_MS_MOST: float = 10


async def measure(sizes: Sizes, place: Place) -> list[Line]:
    """One hot wallet and many, at many callers; ours at few callers too, for the waiting."""
    with place.databases.fresh("sqlite") as address, place.file() as plain_address:
        database = Database.open(address)
        plain = await PlainLedger.open(plain_address, sizes.wallets + 2)
        try:
            return await _measure(sizes, database, plain)
        finally:
            await plain.close()
            await database.close()


async def _measure(sizes: Sizes, database: Database, plain: PlainLedger) -> list[Line]:
    shops = await open_shops(database, sizes.wallets + 1)
    hot, many = Ours(database, shops[:1]), Ours(database, shops[1:])
    few = Ours(database, shops[:1])
    many_ids = range(2, sizes.wallets + 2)
    plain_hot, plain_many = DefaultPattern(plain, [1]), DefaultPattern(plain, many_ids)
    plain_debit = DefaultDebit(plain, [sizes.wallets + 2])
    results = await interleave(
        {
            "hot": Entrant(contestant=hot, callers=sizes.callers),
            "plain hot": Entrant(contestant=plain_hot, callers=sizes.callers),
            "plain debit": Entrant(contestant=plain_debit, callers=sizes.callers),
            "many": Entrant(contestant=many, callers=sizes.callers),
            "plain many": Entrant(contestant=plain_many, callers=sizes.callers),
            "few": Entrant(contestant=few, callers=sizes.few_callers),
        },
        rounds=sizes.rounds,
        turn_s=sizes.turn_s,
    )
    await check_charges(database, hot, many, few)
    return [
        ratio_line(
            f"SQLite, one hot wallet, {sizes.callers} callers",
            results.beside("hot", "plain hot"),
            at_least=TIMES_FASTER,
        ),
        ratio_line("  beside one debit without a hold", results.beside("hot", "plain debit")),
        ratio_line(
            f"SQLite, {sizes.wallets} wallets, {sizes.callers} callers",
            results.beside("many", "plain many"),
            at_least=TIMES_FASTER,
        ),
        limit_line(
            "  CPU for each message, one hot wallet",
            results.cpu_us("hot"),
            "µs",
            at_most=CPU_US_MOST,
            baseline=f"{results.cpu_us('plain hot'):,.0f} µs",
        ),
        limit_line(
            f"  99 of 100 messages at {sizes.few_callers} callers within",
            results.p99_ms("few"),
            "ms",
            at_most=P99_MS_MOST,
        ),
        _lost("hot wallet", await plain.books([1]), hot.charged + few.charged, plain_hot),
        _lost("many wallets", await plain.books(many_ids), many.charged, plain_many),
    ]


def _lost(where: str, books: PlainBooks, charged: int, plain: DefaultPattern) -> Line:
    """Charges on record that never left a balance. Ours have been counted by `check_charges`."""
    errors = "; ".join(f"{count} x {error}" for error, count in plain.errors.most_common(2))
    return Line(
        name=f"  debits lost, {where} (checked: ours loses 0)",
        ours=f"0 of {charged:,}",
        baseline=f"{books.lost:,} of {books.charges:,}" + (f" ({errors})" if errors else ""),
    )
