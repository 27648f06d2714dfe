"""Proof that the ledger adds up: its rules as queries, each with its number, and the hash chain.

Each query returns what breaks its rule and so nothing on a sound ledger; all mean the same on
both databases. They run on one snapshot, after every test that touches money and by
`farebox ledger verify`, in the same memory however long the history. Nothing is repaired here.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from sqlalchemy import text
from sqlmodel import Session

from storage.chain import FIRST_HEAD, next_head
from storage.earnings import EARNINGS, reconcile
from storage.moments import MINUTE, Micros
from storage.purchase_rules import PURCHASES
from storage.snapshots import begin_snapshot, reading_whole_tables, stream, stream_entries

CHAIN: Final = "10 the hash chain verifies"
NAMED: Final = 100
"""What is named of all that breaks one rule; the rest is counted."""


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
    is_whole: bool = True
    """Whether every rule was checked; else the hashes alone, since the tables are another's."""

    @property
    def ok(self) -> bool:
        """Whether the ledger adds up."""
        return not self.violations


def verify(session: Session, now: Micros) -> VerifyReport:
    """Check every rule on one snapshot: call it first in a read of its own."""
    begin_snapshot(session)
    with reading_whole_tables(session):
        return VerifyReport(
            wallets=_count(session, "wallet"),
            entries=_count(session, "entry"),
            violations=find_violations(session, now),
        )


def find_violations(session: Session, now: Micros) -> tuple[Violation, ...]:
    """What breaks the rules, as this session sees the ledger; of each rule, the first `NAMED`."""
    found: list[Violation] = []
    for rule, query in {**RULES, **PURCHASES}.items():
        values = {"overdue": now - MINUTE} if ":overdue" in query else {}
        rows = stream(session, query, **values)
        found += violations_of(rule, (" ".join(map(str, row)) for row in rows))
    found += violations_of(CHAIN, _broken_chains(session))
    found += violations_of(EARNINGS, reconcile(session, now))
    return tuple(found)


def verify_chains(session: Session) -> VerifyReport:
    """Check the hashes alone, which tables of any revision have."""
    return VerifyReport(
        wallets=_count(session, "wallet"),
        entries=_count(session, "entry"),
        violations=tuple(violations_of(CHAIN, _broken_chains(session))),
        is_whole=False,
    )


def violations_of(rule: str, subjects: Iterable[str]) -> Iterator[Violation]:
    """Each subject breaks the rule; a whole table that does is told in a hundred lines."""
    more = 0
    for number, subject in enumerate(subjects):
        if number < NAMED:
            yield Violation(rule, subject)
        else:
            more += 1
    if more:
        yield Violation(rule, f"and {more} more")


def _broken_chains(session: Session) -> Iterator[str]:
    """The wallets whose entries do not hash to their head, each at its first bad entry."""
    walked = broken = None
    head = FIRST_HEAD
    for *parts, written in stream_entries(session):
        wallet_id = parts[0]
        if wallet_id != walked:
            walked, head = wallet_id, FIRST_HEAD
        if next_head(head, parts) != written and wallet_id != broken:
            broken = wallet_id
            yield f"wallet {wallet_id} entry {parts[1]}"
        head = written
    for (wallet_id,) in stream(session, _HEADS, first=FIRST_HEAD):
        yield f"wallet {wallet_id} head"


def _count(session: Session, table: str) -> int:
    count: int = session.execute(text(f"SELECT COUNT(*) FROM {table}")).scalar_one()  # noqa: S608 - our own names
    return count


_HEADS: Final = """
    SELECT w.id FROM wallet w WHERE w.head <> COALESCE((
      SELECT e.hash FROM entry e WHERE e.wallet_id = w.id ORDER BY e.seq DESC LIMIT 1), :first)"""
"""Wallets whose head is not the hash of their last entry: where the walk over the chain ends."""

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
    "3 what is claimed of a grant is held, and nothing remains of it": """
        SELECT 'grant', id FROM credit_grant
        WHERE claimed < 0 OR claimed > held OR (claimed > 0 AND remaining > 0)
          OR (state = 'revoked' AND claimed <> held)""",
    "4 a grant is its entries": """
        SELECT 'grant', g.id FROM credit_grant g LEFT JOIN entry e ON e.grant_id = g.id
        GROUP BY g.id HAVING g.remaining + g.held <> COALESCE(SUM(e.amount), 0)
          OR g.revoked <> COALESCE(-SUM(CASE WHEN e.kind = 'revoke' THEN e.amount END), 0)""",
    "4 a grant that has ended is empty": """
        SELECT 'grant', id FROM credit_grant
        WHERE state IN ('expired', 'revoked') AND remaining <> 0""",
    "4 the state of a grant and of a hold is a known one": """
        SELECT 'grant', id FROM credit_grant
        WHERE state NOT IN ('active', 'frozen', 'expired', 'revoked')
        UNION ALL SELECT 'hold', id FROM hold
        WHERE state NOT IN ('open', 'captured', 'released', 'expired')""",
    "4 an entry names nothing of another wallet": """
        SELECT 'wallet', e.wallet_id, 'entry', e.seq FROM entry e
        LEFT JOIN wallet w ON w.id = e.wallet_id
        LEFT JOIN credit_grant g ON g.id = e.grant_id LEFT JOIN hold h ON h.id = e.hold_id
        WHERE w.id IS NULL
          OR (e.grant_id IS NOT NULL AND COALESCE(g.wallet_id, 0) <> e.wallet_id)
          OR (e.hold_id IS NOT NULL AND COALESCE(h.wallet_id, 0) <> e.wallet_id)""",
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
    "6 what a wallet spent in a day is its charges": """
        SELECT 'wallet', w.id FROM wallet w
        LEFT JOIN entry e ON e.wallet_id = w.id AND e.kind = 'charge'
          AND e.created_at >= w.spent_day * 86400000000
          AND e.created_at < (w.spent_day + 1) * 86400000000
        GROUP BY w.id HAVING w.spent <> COALESCE(-SUM(e.amount), 0)
        UNION ALL SELECT 'wallet', w.id FROM wallet w JOIN (
          SELECT wallet_id, MAX(created_at) AS last_at FROM entry
          WHERE kind = 'charge' AND amount < 0 GROUP BY wallet_id) e ON e.wallet_id = w.id
        WHERE w.spent_day <> e.last_at / 86400000000""",
    "7 refunds stay within their charge": """
        SELECT 'wallet', c.wallet_id, 'entry', c.seq FROM entry c
        JOIN entry r ON r.wallet_id = c.wallet_id AND r.reverses = c.seq
        GROUP BY c.wallet_id, c.seq HAVING c.kind <> 'charge' OR SUM(r.amount) > -c.amount""",
    "7 a refund is its entries": """
        SELECT 'hold', hold_id FROM (
          SELECT hold_id, amount FROM refund
          UNION ALL SELECT c.hold_id, -r.amount FROM entry r
          JOIN entry c ON c.wallet_id = r.wallet_id AND c.seq = r.reverses) AS t
        GROUP BY hold_id HAVING SUM(amount) <> 0""",
    "7 credits that came back are those of a grant that was given": """
        SELECT 'grant', g.id FROM credit_grant g
        LEFT JOIN credit_grant o ON o.id = g.origin_id AND o.wallet_id = g.wallet_id
        WHERE (g.source = 'refund') <> (g.origin_id IS NOT NULL)
          OR (g.origin_id IS NOT NULL AND o.id IS NULL) OR o.source = 'refund'
          OR o.plan_id <> g.plan_id OR o.priority <> g.priority""",
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
          SELECT wallet_id, COUNT(version) AS n, COUNT(DISTINCT version) AS numbers,
            MAX(version) AS newest FROM (
              SELECT wallet_id, version FROM entry
              UNION ALL SELECT wallet_id, opened_version FROM hold
              UNION ALL SELECT wallet_id, ended_version FROM hold
              UNION ALL SELECT wallet_id, version FROM wallet_change) AS change
          GROUP BY wallet_id) v ON v.wallet_id = w.id
        WHERE w.version <> COALESCE(v.n, 0) OR w.version <> COALESCE(v.numbers, 0)
          OR w.version <> COALESCE(v.newest, 0)""",
    "11 one hold for a key": """
        SELECT 'wallet', wallet_id FROM hold
        GROUP BY wallet_id, operation, idempotency_key HAVING COUNT(*) > 1""",
    "no hold is overdue by a minute: is the sweeper running?": """
        SELECT 'hold', id FROM hold WHERE state = 'open' AND expires_at < :overdue""",
    "no grant is overdue by a minute: is the sweeper running?": """
        SELECT 'grant', id FROM credit_grant
        WHERE state = 'active' AND remaining > 0 AND expires_at < :overdue""",
}
