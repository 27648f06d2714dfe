"""Proof that the ledger adds up: its rules as queries, each with its number, and the hash chain.

Each query returns what breaks its rule and so nothing on a sound ledger; all mean the same on
both databases. They run on one snapshot, after every test that touches money and by
`farebox ledger verify`. Nothing is repaired here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlmodel import Session

from storage.chain import FIRST_HEAD, EntryLine, entry_hash
from storage.moments import MINUTE, Micros

CHAIN: Final = "10 the hash chain verifies"
_PAGE: Final = 1000
"""Entries read at a time, so that a long history does not have to fit in memory."""


@dataclass(frozen=True, slots=True)
class Violation:
    """What breaks which rule."""

    rule: str
    subject: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifyReport:
    """What was checked, and what was found wrong."""

    wallets: int
    entries: int
    violations: tuple[Violation, ...]

    @property
    def ok(self) -> bool:
        """Whether the ledger adds up."""
        return not self.violations


def verify(session: Session, now: Micros) -> VerifyReport:
    """Check every rule on one snapshot: call it first in a read of its own."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
    return VerifyReport(
        wallets=_count(session, "wallet"),
        entries=_count(session, "entry"),
        violations=find_violations(session, now),
    )


def find_violations(session: Session, now: Micros) -> tuple[Violation, ...]:
    """What breaks the rules, as this session sees the ledger."""
    return (*_broken_rules(session, now), *_broken_chains(session))


def _broken_rules(session: Session, now: Micros) -> Iterator[Violation]:
    for rule, query in RULES.items():
        values = {"overdue": now - MINUTE} if ":overdue" in query else {}
        for row in session.execute(text(query), values):
            yield Violation(rule, " ".join(str(part) for part in row))


def _broken_chains(session: Session) -> Iterator[Violation]:
    """The wallets whose entries do not hash to their head, each at its first bad entry."""
    heads: dict[int, bytes] = {}
    broken: set[int] = set()
    lines = session.execute(text(_LINES).execution_options(yield_per=_PAGE))
    for *parts, written in lines:
        line = EntryLine(*parts)
        head = entry_hash(heads.get(line.wallet_id, FIRST_HEAD), line)
        if head != bytes(written) and line.wallet_id not in broken:
            broken.add(line.wallet_id)
            yield Violation(CHAIN, f"wallet {line.wallet_id} entry {line.seq}")
        heads[line.wallet_id] = bytes(written)
    for wallet_id, head in session.execute(text("SELECT id, head FROM wallet")):
        if bytes(head) != heads.get(wallet_id, FIRST_HEAD):
            yield Violation(CHAIN, f"wallet {wallet_id} head")


def _count(session: Session, table: str) -> int:
    count: int = session.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()  # noqa: S608 - our own names
    return count


_LINES: Final = """
    SELECT wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id, reverses,
      idempotency_key, created_at, hash
    FROM entry ORDER BY wallet_id, seq"""

RULES: Final[Mapping[str, str]] = {
    "1 a wallet is never negative": """
        SELECT 'wallet', id FROM wallet
        WHERE credits < 0 OR debits < 0 OR held < 0 OR credits - debits - held < 0""",
    "1 a grant is never negative": """
        SELECT 'grant', id FROM credit_grant
        WHERE remaining < 0 OR held < 0 OR remaining + held + revoked > amount""",
    "2 a wallet's totals are its entries": """
        SELECT 'wallet', w.id FROM wallet w LEFT JOIN entry e ON e.wallet_id = w.id GROUP BY w.id
        HAVING w.credits <> COALESCE(SUM(CASE WHEN e.amount > 0 THEN e.amount END), 0)
          OR w.debits <> COALESCE(-SUM(CASE WHEN e.amount < 0 THEN e.amount END), 0)""",
    "3 what a wallet holds is its open holds": """
        SELECT 'wallet', w.id FROM wallet w
        LEFT JOIN hold h ON h.wallet_id = w.id AND h.state = 'open'
        GROUP BY w.id HAVING w.held <> COALESCE(SUM(h.amount), 0)""",
    "3 what a grant holds is its open allocations": """
        SELECT 'grant', g.id FROM credit_grant g
        LEFT JOIN (SELECT a.grant_id, a.amount FROM allocation a
          JOIN hold h ON h.id = a.hold_id WHERE h.state = 'open') o ON o.grant_id = g.id
        GROUP BY g.id HAVING g.held <> COALESCE(SUM(o.amount), 0)""",
    "3 a hold is its allocations": """
        SELECT 'hold', h.id FROM hold h LEFT JOIN allocation a ON a.hold_id = h.id
        GROUP BY h.id HAVING h.amount <> COALESCE(SUM(a.amount), 0)""",
    "4 a grant is its entries": """
        SELECT 'grant', g.id FROM credit_grant g LEFT JOIN entry e ON e.grant_id = g.id
        GROUP BY g.id HAVING g.remaining + g.held <> COALESCE(SUM(e.amount), 0)
          OR g.revoked <> COALESCE(-SUM(CASE WHEN e.kind = 'revoke' THEN e.amount END), 0)""",
    "4 an entry names nothing of another wallet": """
        SELECT 'wallet', e.wallet_id, 'entry', e.seq FROM entry e
        LEFT JOIN credit_grant g ON g.id = e.grant_id LEFT JOIN hold h ON h.id = e.hold_id
        WHERE g.wallet_id <> e.wallet_id OR h.wallet_id <> e.wallet_id""",
    "5 a grant is entered once": """
        SELECT 'grant', g.id FROM credit_grant g
        LEFT JOIN entry e ON e.grant_id = g.id AND e.amount > 0
        GROUP BY g.id HAVING COUNT(e.seq) <> 1 OR SUM(e.amount) <> g.amount""",
    "6 what a hold captured is its charges": """
        SELECT 'hold', h.id FROM hold h LEFT JOIN entry e ON e.hold_id = h.id AND e.kind = 'charge'
        GROUP BY h.id HAVING h.captured <> COALESCE(-SUM(e.amount), 0) OR h.captured > h.amount
          OR (h.state = 'captured') <> (COUNT(e.seq) > 0)""",
    "6 a charge stays within its allocation": """
        SELECT 'wallet', e.wallet_id, 'entry', e.seq FROM entry e
        LEFT JOIN allocation a ON a.hold_id = e.hold_id AND a.grant_id = e.grant_id
        WHERE e.kind = 'charge' AND -e.amount > COALESCE(a.amount, 0)""",
    "6 a hold charges a grant once": """
        SELECT 'hold', hold_id FROM entry WHERE kind = 'charge'
        GROUP BY hold_id, grant_id HAVING COUNT(*) > 1""",
    "7 refunds stay within their charge": """
        SELECT 'wallet', c.wallet_id, 'entry', c.seq FROM entry c
        JOIN entry r ON r.wallet_id = c.wallet_id AND r.reverses = c.seq
        GROUP BY c.wallet_id, c.seq HAVING c.kind <> 'charge' OR SUM(r.amount) > -c.amount""",
    "8 a charge's hold was opened within the grant's life": """
        SELECT 'wallet', e.wallet_id, 'entry', e.seq FROM entry e
        JOIN hold h ON h.id = e.hold_id JOIN credit_grant g ON g.id = e.grant_id
        WHERE e.kind = 'charge'
          AND (h.created_at < g.effective_at OR h.created_at >= g.expires_at)""",
    "9 entries follow each other": """
        SELECT 'wallet', wallet_id, 'entry', seq FROM (
          SELECT wallet_id, seq, seq - COALESCE(LAG(seq) OVER w, 0) AS step,
            balance_after - amount - COALESCE(LAG(balance_after) OVER w, 0) AS jump
          FROM entry WINDOW w AS (PARTITION BY wallet_id ORDER BY seq)) AS t
        WHERE step <> 1 OR jump <> 0""",
    "9 a wallet knows its last entry": """
        SELECT 'wallet', w.id FROM wallet w LEFT JOIN entry e ON e.wallet_id = w.id
        GROUP BY w.id HAVING w.seq <> COUNT(e.seq)""",
    "9 every change is numbered once": """
        SELECT 'wallet', w.id FROM wallet w LEFT JOIN (
          SELECT wallet_id, version FROM entry
          UNION ALL SELECT wallet_id, opened_version FROM hold
          UNION ALL SELECT wallet_id, ended_version FROM hold
          UNION ALL SELECT wallet_id, version FROM wallet_change) v ON v.wallet_id = w.id
        GROUP BY w.id HAVING w.version <> COUNT(v.version)
          OR w.version <> COUNT(DISTINCT v.version) OR w.version <> COALESCE(MAX(v.version), 0)""",
    "11 one hold for a key": """
        SELECT 'wallet', wallet_id FROM hold
        GROUP BY wallet_id, operation, idempotency_key HAVING COUNT(*) > 1""",
    "no hold is overdue by a minute: is the sweeper running?": """
        SELECT 'hold', id FROM hold WHERE state = 'open' AND expires_at < :overdue""",
    "no grant is overdue by a minute: is the sweeper running?": """
        SELECT 'grant', id FROM credit_grant
        WHERE state = 'active' AND remaining > 0 AND expires_at < :overdue""",
}
