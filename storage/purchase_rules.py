"""Rules about what was bought, as queries: each names what breaks it, as in `storage.invariants`.

They stand apart from the ledger's own, which hold for every grant whatever caused it: here it is
checked that what was bought has its order, once, on the terms that were ordered.
"""

from collections.abc import Mapping
from typing import Final

PURCHASES: Final[Mapping[str, str]] = {
    "13 a grant that was bought is its order's, at its cost": """
        SELECT 'grant', g.id FROM credit_grant g JOIN wallet w ON w.id = g.wallet_id
        LEFT JOIN subscription s ON s.account_id = w.subscriber_id
          AND s.source = g.source AND s.source_ref = g.source_ref
        LEFT JOIN purchase_order o ON o.subscription_id = s.id
        WHERE g.source IN ('order', 'voucher') AND (o.id IS NULL OR o.fulfilled_at IS NULL
          OR o.account_id <> w.subscriber_id OR o.plan_id <> g.plan_id
          OR o.plan_version_id <> g.plan_version_id OR o.credits <> g.amount
          OR o.amount_minor <> COALESCE(g.cost_minor, 0))""",
    "13 what was bought has its order": """
        SELECT 'subscription', s.id FROM subscription s
        LEFT JOIN purchase_order o ON o.subscription_id = s.id
        WHERE s.source IN ('order', 'voucher') AND o.id IS NULL""",
    "13 a fulfilled order gave one subscription, on its own terms": """
        SELECT 'order', o.id FROM purchase_order o
        LEFT JOIN subscription s ON s.id = o.subscription_id
        WHERE (s.id IS NULL AND o.state IN
            ('fulfilled', 'partially_refunded', 'disputed', 'won', 'lost'))
          OR (o.subscription_id IS NOT NULL AND o.state IN
            ('created', 'pending', 'paid', 'expired', 'cancelled'))
          OR (s.id IS NOT NULL AND (s.account_id <> o.account_id OR s.plan_id <> o.plan_id
            OR s.plan_version_id <> o.plan_version_id))""",
    "13 what was refunded of an order is its refunds": """
        SELECT 'order', o.id FROM purchase_order o
        LEFT JOIN order_refund r ON r.order_id = o.id
        GROUP BY o.id, o.refunded_minor, o.amount_minor, o.state
        HAVING o.refunded_minor <> COALESCE(SUM(r.amount_minor), 0)
          OR (o.state = 'refunded') <> (o.refunded_minor > 0 AND o.refunded_minor = o.amount_minor)
          OR (o.state = 'partially_refunded' AND o.refunded_minor = 0)""",
    "13 a voucher that was redeemed has its order": """
        SELECT 'voucher', v.id FROM voucher v JOIN purchase_order o ON o.id = v.order_id
        WHERE o.provider <> 'voucher' OR o.plan_version_id <> v.plan_version_id""",
    "13 an order by voucher has its voucher": """
        SELECT 'order', o.id FROM purchase_order o
        LEFT JOIN voucher v ON v.order_id = o.id WHERE o.provider = 'voucher' AND v.id IS NULL""",
}
