"""The table of mistakes one could make in the ledger; `tests.faulty_ledger` makes them."""

from typing import Final

from tests.faulty_ledger import Fault

SQLITE: Final = (
    Fault("held not counted", "books", "wallet.held += request.amount", "wallet.held += 0"),
    Fault(
        "captured twice",
        "books",
        "for leg in legs:",
        "for leg in legs * 2:",
    ),
    Fault("the rest lost", "books", "back - revoked - expired, revoked,", "0, revoked,"),
    Fault("no entry written", "books", "            if use > 0:", "            if use > 9:"),
    Fault("silent expiry", "books", "            if remaining > 0:", "            if False:"),
    Fault("expired grant spent", "books", " AND expires_at > ? AND plan", " AND ? > 0 AND plan"),
    Fault(
        "scheduled grant spent",
        "books",
        "AND effective_at <= ? AND expires",
        "AND ? > 0 AND expires",
    ),
    Fault(
        "any plan pays",
        "books",
        "AND plan_id IN (SELECT value FROM json_each(?))",
        "AND ? <> ''",
    ),
    Fault(
        "over-refund",
        "corrections",
        "if request.amount > refundable:",
        "if request.amount > refundable + 5:",
    ),
    Fault(
        "refunded twice",
        "corrections",
        "        _REFUND_OF_KEY, wallet.id, request.key\n",
        '        _REFUND_OF_KEY, wallet.id, ""\n',
    ),
    Fault(
        "another refund under the same key",
        "corrections",
        "if (hold_id, amount) != (request.hold_id, request.amount):",
        "if hold_id != request.hold_id:",
    ),
    Fault(
        "refunded oldest first",
        "credits",
        "sorted(legs, key=lambda leg: leg.seq, reverse=True)",
        "sorted(legs, key=lambda leg: leg.seq)",
    ),
    Fault(
        "refunded to another priority",
        "corrections",
        "?, ?, priority, ?, max(",
        "?, ?, 0, ?, max(",
    ),
    Fault(
        "refunded into the past",
        "corrections",
        "max(expires_at, ?), ?, ?, 0,",
        "max(expires_at, ? - 2591999000000), ?, ?, 0,",
    ),
    Fault("a refund of a refund", "corrections", "COALESCE(origin_id, id)", "id"),
    Fault(
        "granted twice",
        "books",
        "self._rows(_GRANTED, wallet.id, key)",
        'self._rows(_GRANTED, wallet.id, "")',
    ),
    Fault("leaked hold", "books", "wallet.held -= hold.amount", "wallet.held -= captured"),
    Fault(
        "drawn in the wrong order",
        "credits",
        "live.sort(key=lambda grant: (grant.priority, grant.expires_at, grant.id))",
        "live.sort(key=lambda grant: (grant.priority, grant.id))",
    ),
    Fault(
        "charged in the wrong order",
        "books",
        "ORDER BY g.priority, g.expires_at, g.id",
        "ORDER BY g.id DESC",
    ),
    Fault(
        "swept early",
        "books",
        "FROM hold WHERE state = 'open' AND expires_at <= ?",
        "FROM hold WHERE state = 'open' AND expires_at - 60000000 <= ?",
    ),
    Fault(
        "deadline moved to earlier",
        "books",
        "SET expires_at = max(expires_at, ?)",
        "SET expires_at = ?",
    ),
    Fault("loss recorded twice", "books", "if hold.shortfall or not used:", "if not used:"),
    Fault(
        "more than was held taken",
        "books",
        "captured = MilliCredits(min(used, hold.amount))",
        "captured = MilliCredits(used)",
    ),
    Fault("cap ignored", "books", "or not request.amount or", "or request.amount or"),
    Fault("the larger cap counts", "wallet", "min(caps, default", "max(caps, default"),
    Fault(
        "one's own cap alone counts",
        "wallet",
        "in (self.daily_cap, self.operator_cap) if",
        "in (self.daily_cap,) if",
    ),
    Fault(
        "the operator's cap set as one's own",
        "corrections",
        "        wallet.operator_cap = cap\n",
        "        wallet.daily_cap = cap\n",
    ),
    Fault(
        "cap counts nothing held",
        "books",
        "spent = wallet.spent_on(day) + wallet.held",
        "spent = wallet.spent_on(day)",
    ),
    Fault(
        "cap counts yesterday",
        "wallet",
        "return self.spent if self.spent_day == day else 0",
        "return self.spent",
    ),
    Fault(
        "frozen grant spent",
        "books",
        "remaining + held > 0 AND state = 'active'",
        "remaining + held > 0 AND state IN ('active', 'frozen')",
    ),
    Fault(
        "frozen grant swept",
        "books",
        "FROM credit_grant WHERE state = 'active' AND expires_at <= ?",
        "FROM credit_grant WHERE state IN ('active', 'frozen') AND expires_at <= ?",
    ),
    Fault(
        "revoked credits return",
        "books",
        "revoked = min(back, leg.claimed)",
        "revoked = 0",
    ),
    Fault(
        "revoked in addition, not in all",
        "corrections",
        "min(grant.remaining, request.target - grant.revoked)",
        "min(grant.remaining, request.target)",
    ),
    Fault(
        "claimed in addition to what is taken",
        "corrections",
        "min(grant.held, request.target - grant.revoked - taken)",
        "min(grant.held, request.target - grant.revoked)",
    ),
    Fault(
        "a smaller target gives a claim up",
        "corrections",
        "claimed = max(grant.claimed, min(",
        "claimed = max(0, min(",
    ),
    Fault(
        "more claimed than is left of what is held",
        "books",
        "claimed = min(claimed - ?3, held - ?1)",
        "claimed = claimed - ?3",
    ),
    Fault(
        "claimed credits expire",
        "books",
        "revoked = min(back, leg.claimed)",
        "revoked = min(back, leg.claimed) * (leg.grant_state != GrantState.EXPIRED)",
    ),
    Fault(
        "version not advanced",
        "wallet",
        'moves no credits."""\n        wallet.version += 1',
        'moves no credits."""\n        wallet.version += 0',
    ),
    Fault(
        "last_at runs back",
        "wallet",
        "wallet.last_at = max(wallet.last_at, now)",
        "wallet.last_at = now",
    ),
    Fault("charges are free", "wallet", "wallet.debits -= min(amount, 0)", "wallet.debits -= 0"),
    Fault(
        "low balance told twice",
        "credits",
        "return after if _MARKS.index(after) > _MARKS.index(before) else None",
        "return after if _MARKS.index(after) >= _MARKS.index(before) else None",
    ),
    Fault(
        "low balance told for what had left it",
        "books",
        "crossed(left, charged=charged,",
        "crossed(left, charged=hold.captured,",
    ),
    Fault(
        "replay answered as opened",
        "books",
        "return _again(_found(row), request, wallet, available)",
        "return HoldOpened(hold_id=row[0], public_id=request.public_id, version=row[8],"
        " available=available)",
    ),
    Fault(
        "conflict answered as replay",
        "books",
        "if hold.fingerprint != request.fingerprint:",
        "if False:",
    ),
)

POSTGRESQL: Final = (
    Fault("held not counted", "functions", "w.held := w.held + p_amount;", "w.held := w.held;"),
    Fault(
        "the rest lost",
        "functions",
        "remaining = remaining + leg.amount - v_use - v_revoked - v_expired,",
        "remaining = remaining,",
    ),
    Fault("captured twice", "functions", "v_left := v_left - v_use;", ""),
    Fault("no entry written", "functions", "IF v_use > 0 THEN", "IF v_use > 9 THEN"),
    Fault("silent expiry", "functions", "IF g.remaining > 0 THEN", "IF false THEN"),
    Fault(
        "expired grant counted",
        "functions",
        "g.effective_at <= p_now AND g.expires_at > p_now",
        "g.effective_at <= p_now",
    ),
    Fault(
        "expired grant spent",
        "functions",
        "AND c.effective_at <= w.last_at AND c.expires_at > w.last_at",
        "AND c.effective_at <= w.last_at",
    ),
    Fault(
        "any plan pays",
        "functions",
        "AND c.state = 'active' AND c.plan_id = ANY (p_plans)",
        "AND c.state = 'active'",
    ),
    Fault(
        "over-refund",
        "functions",
        "IF p_amount > v_refundable THEN",
        "IF p_amount > v_refundable + 5 THEN",
    ),
    Fault(
        "refunded twice",
        "functions",
        "FROM refund x WHERE x.wallet_id = p_wallet AND x.idempotency_key = p_key;",
        "FROM refund x WHERE false;",
    ),
    Fault(
        "refunded to another priority",
        "functions",
        "'refund', p_key || '/' || leg.seq, priority,",
        "'refund', p_key || '/' || leg.seq, 0,",
    ),
    Fault("refunded oldest first", "functions", "ORDER BY c.seq DESC", "ORDER BY c.seq"),
    Fault(
        "granted twice", "functions", "x.kind = 'grant' AND x.idempotency_key = v_key;", "false;"
    ),
    Fault("leaked hold", "functions", "w.held - h.amount;", "w.held - v_captured;"),
    Fault(
        "drawn in the wrong order",
        "functions",
        "ORDER BY c.priority, c.expires_at, c.id",
        "ORDER BY c.priority, c.id",
    ),
    Fault(
        "charged in the wrong order",
        "functions",
        "ORDER BY g.priority, g.expires_at, g.id",
        "ORDER BY g.id DESC",
    ),
    Fault(
        "swept early",
        "functions",
        "d.wallet_id = w.id AND d.state = 'open' AND d.expires_at <= p_now",
        "d.wallet_id = w.id AND d.state = 'open' AND d.expires_at - 60000000 <= p_now",
    ),
    Fault(
        "deadline moved to earlier",
        "functions",
        "GREATEST(expires_at, p_expires)\n    WHERE",
        "p_expires\n    WHERE",
    ),
    Fault(
        "cap ignored",
        "functions",
        "spent + p_amount > LEAST(w.daily_cap, w.operator_cap)",
        "false",
    ),
    Fault(
        "the larger cap counts",
        "functions",
        "spent + p_amount > LEAST(",
        "spent + p_amount > GREATEST(",
    ),
    Fault(
        "the operator's cap not saved",
        "functions",
        ", operator_cap = w.operator_cap WHERE",
        " WHERE",
    ),
    Fault("cap counts nothing held", "functions", "spent := w.held + CASE", "spent := CASE"),
    Fault(
        "frozen grant swept",
        "functions",
        "d.wallet_id = w.id AND d.state = 'active' AND d.expires_at <= p_now",
        "d.wallet_id = w.id AND d.state IN ('active', 'frozen') AND d.expires_at <= p_now",
    ),
    Fault(
        "revoked credits return",
        "functions",
        "v_revoked := LEAST(leg.amount - v_use, leg.claimed);",
        "v_revoked := 0;",
    ),
    Fault(
        "revoked in addition, not in all",
        "functions",
        "LEAST(g.remaining, p_target - g.revoked)",
        "LEAST(g.remaining, p_target)",
    ),
    Fault(
        "claimed in addition to what is taken",
        "functions",
        "LEAST(g.held, p_target - g.revoked - v_taken)",
        "LEAST(g.held, p_target - g.revoked)",
    ),
    Fault(
        "a smaller target gives a claim up",
        "functions",
        "v_claimed := GREATEST(g.claimed, LEAST(",
        "v_claimed := GREATEST(0, LEAST(",
    ),
    Fault(
        "more claimed than is left of what is held",
        "functions",
        "claimed = LEAST(claimed - v_revoked, held - leg.amount)",
        "claimed = claimed - v_revoked",
    ),
    Fault(
        "version not advanced",
        "functions",
        "w.version := w.version + 1;\n  INSERT INTO wallet_change",
        "INSERT INTO wallet_change",
    ),
    Fault(
        "low balance told twice",
        "functions",
        "IF v_mark > ledger_mark(",
        "IF v_mark >= ledger_mark(",
    ),
    Fault(
        "low balance told for what had left it",
        "functions",
        "ledger_mark(v_left + v_charged,",
        "ledger_mark(v_left + h.amount,",
    ),
    Fault(
        "replay answered as opened",
        "functions",
        "outcome := 'replayed'",
        "outcome := 'opened'",
    ),
    Fault(
        "conflict answered as replay",
        "functions",
        "IF FOUND AND h.fingerprint <> p_print THEN",
        "IF false THEN",
    ),
)

FOUND_LATE: Final = frozenset(
    {
        "captured twice",
        "any plan pays",
        "revoked in addition, not in all",
        "swept early",
        "low balance told for what had left it",
        "cap counts nothing held",
        "revoked credits return",
        "frozen grant swept",
    }
)
"""What the machine takes longest to notice on PostgreSQL: left to the long profile there.

All of them are made on SQLite as well, every time.
"""
