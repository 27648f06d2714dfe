"""PostgreSQL: ours beside SQLModel with the wallet's row locked; one hot wallet beside many."""

from benchmarks.ledger.contestants import Ours, check_charges, open_shops
from benchmarks.ledger.place import Place
from benchmarks.ledger.report import Line, ratio_line
from benchmarks.ledger.rounds import Entrant, interleave
from benchmarks.ledger.sizes import Sizes
from benchmarks.ledger.sqlmodel_baseline import DefaultPattern, PlainLedger
from storage.database import Database

TIMES_FASTER: float = 6
HOT_SHARE: float = 0.7


async def measure(sizes: Sizes, place: Place) -> list[Line]:
    """One hot wallet and many, of ours and of theirs."""
    with (
        place.databases.fresh("postgresql") as address,
        place.databases.fresh("postgresql", is_migrated=False) as plain_address,
    ):
        database = Database.open(address)
        plain = await PlainLedger.open(plain_address, sizes.wallets + 1)
        try:
            return await _measure(sizes, database, plain)
        finally:
            await plain.close()
            await database.close()


async def _measure(sizes: Sizes, database: Database, plain: PlainLedger) -> list[Line]:
    shops = await open_shops(database, sizes.wallets + 1)
    hot, many = Ours(database, shops[:1]), Ours(database, shops[1:])
    ids = range(1, sizes.wallets + 2)
    plain_hot, plain_many = DefaultPattern(plain, ids[:1]), DefaultPattern(plain, ids[1:])
    results = await interleave(
        {
            "hot": Entrant(contestant=hot, callers=sizes.callers),
            "plain hot": Entrant(contestant=plain_hot, callers=sizes.callers),
            "many": Entrant(contestant=many, callers=sizes.callers),
            "plain many": Entrant(contestant=plain_many, callers=sizes.callers),
        },
        rounds=sizes.rounds,
        turn_s=sizes.turn_s,
    )
    await check_charges(database, hot, many)
    books = await plain.books(ids)
    return [
        ratio_line(
            f"PostgreSQL, {sizes.wallets} wallets, {sizes.callers} callers",
            results.beside("many", "plain many"),
            at_least=TIMES_FASTER,
        ),
        ratio_line(
            f"PostgreSQL, one hot wallet, {sizes.callers} callers",
            results.beside("hot", "plain hot"),
            at_least=TIMES_FASTER,
        ),
        ratio_line(
            "  ours: one hot wallet beside many",
            results.beside("hot", "many"),
            at_least=HOT_SHARE,
        ),
        Line(
            name="  CPU of this process for each message (the server's is not in it)",
            ours=f"{results.cpu_us('many'):,.0f} µs",
            baseline=f"{results.cpu_us('plain many'):,.0f} µs",
        ),
        Line(
            name="  debits lost (checked: ours loses 0)",
            ours=f"0 of {hot.charged + many.charged:,}",
            baseline=f"{books.lost:,} of {books.charges:,}",
        ),
    ]
