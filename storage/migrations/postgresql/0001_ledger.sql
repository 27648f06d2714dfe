-- The ledger's verbs on PostgreSQL, each one round trip.
--
-- Every verb locks the wallet before it reads anything: under READ COMMITTED each statement after
-- the lock sees all that was committed before it. FOR NO KEY UPDATE lets foreign-key checks pass.
-- Whoever locks more than one row locks the wallet first, so there is no deadlock between verbs.
-- Refusals come back as rows. No row at all means that there is no such wallet or hold.
-- A verb changes its copy of the wallet's row and saves it once, at the end.

CREATE FUNCTION ledger_locked_wallet(p_wallet bigint, p_now bigint) RETURNS SETOF wallet
LANGUAGE plpgsql AS $$
DECLARE w wallet;
BEGIN
  SELECT * INTO w FROM wallet WHERE id = p_wallet FOR NO KEY UPDATE;
  IF FOUND THEN
    w.last_at := GREATEST(w.last_at, p_now);  -- a clock set back cannot reorder a history
    RETURN NEXT w;
  END IF;
END $$;

CREATE FUNCTION ledger_save(w wallet) RETURNS void
LANGUAGE sql AS $$
  UPDATE wallet SET credits = w.credits, debits = w.debits, held = w.held, seq = w.seq,
    version = w.version, head = w.head, last_at = w.last_at WHERE id = w.id
$$;

-- Writes the next entry at w.last_at and returns the wallet as it is afterwards.
CREATE FUNCTION ledger_append(
  w wallet, p_kind text, p_amount bigint, p_grant bigint, p_hold bigint, p_key text
) RETURNS wallet LANGUAGE plpgsql AS $$
BEGIN
  w.seq := w.seq + 1;
  w.version := w.version + 1;
  w.credits := w.credits + GREATEST(p_amount, 0);
  w.debits := w.debits - LEAST(p_amount, 0);
  -- As in storage.chain. concat_ws drops NULLs, so each that may be one becomes ''; the bare '' is
  -- `reverses`, which belongs to refunds alone and which none of these verbs writes.
  w.head := sha256(w.head || convert_to(concat_ws(chr(31), w.id, w.seq, w.version, p_kind, p_amount,
    w.credits - w.debits, COALESCE(p_grant::text, ''), COALESCE(p_hold::text, ''), '',
    COALESCE(p_key, ''), w.last_at), 'UTF8'));
  INSERT INTO entry (wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id,
      idempotency_key, created_at, hash)
    VALUES (w.id, w.seq, w.version, p_kind, p_amount, w.credits - w.debits, p_grant, p_hold,
      p_key, w.last_at, w.head);
  RETURN w;
END $$;

CREATE FUNCTION ledger_spendable(p_wallet bigint, p_plans bigint[], p_now bigint) RETURNS bigint
LANGUAGE sql STABLE AS $$
  SELECT COALESCE(SUM(remaining), 0)::bigint FROM credit_grant
    WHERE wallet_id = p_wallet AND remaining > 0 AND state = 'active' AND plan_id = ANY (p_plans)
      AND effective_at <= p_now AND expires_at > p_now
$$;

CREATE FUNCTION ledger_available(p_wallet bigint, p_plans bigint[], p_now bigint)
RETURNS SETOF bigint LANGUAGE sql STABLE AS $$
  SELECT ledger_spendable(id, p_plans, GREATEST(last_at, p_now)) FROM wallet WHERE id = p_wallet
$$;

CREATE FUNCTION ledger_open_wallet(p_subscriber bigint) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE v_id bigint;
BEGIN
  INSERT INTO wallet (subscriber_id, credits, debits, held, seq, version, head, last_at)
    VALUES (p_subscriber, 0, 0, 0, 0, 0, decode(repeat('00', 32), 'hex'), 0)
    ON CONFLICT (subscriber_id) DO NOTHING;
  SELECT id INTO STRICT v_id FROM wallet WHERE subscriber_id = p_subscriber;
  RETURN v_id;
END $$;

CREATE FUNCTION ledger_grant(
  p_wallet bigint, p_plan bigint, p_plan_version bigint, p_source text, p_source_ref text,
  p_amount bigint, p_priority bigint, p_effective bigint, p_expires bigint, p_now bigint,
  p_cost bigint, p_currency text
) RETURNS TABLE (grant_id bigint, is_new boolean, at_version bigint) LANGUAGE plpgsql AS $$
DECLARE w wallet; e entry; v_key text := p_source || ':' || p_source_ref;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO e FROM entry x
    WHERE x.wallet_id = p_wallet AND x.kind = 'grant' AND x.idempotency_key = v_key;
  IF FOUND THEN RETURN QUERY SELECT e.grant_id, false, e.version; RETURN; END IF;
  INSERT INTO credit_grant (wallet_id, plan_id, plan_version_id, source, source_ref, priority,
      effective_at, expires_at, amount, remaining, held, revoked, state, cost_minor, currency)
    VALUES (p_wallet, p_plan, p_plan_version, p_source, p_source_ref, p_priority,
      p_effective, p_expires, p_amount, p_amount, 0, 0, 'active', p_cost, p_currency)
    RETURNING id INTO grant_id;
  w := ledger_append(w, 'grant', p_amount, grant_id, NULL, v_key);
  PERFORM ledger_save(w);
  RETURN QUERY SELECT grant_id, true, w.version;
END $$;

CREATE FUNCTION ledger_hold(
  p_wallet bigint, p_public text, p_operation text, p_key text, p_print bytea, p_amount bigint,
  p_plans bigint[], p_owner text, p_now bigint, p_expires bigint, p_offering bigint, p_run text
) RETURNS TABLE (
  outcome text, hold_id bigint, public_id text, run_id text, state text, amount bigint,
  captured bigint, at_version bigint, available bigint
) LANGUAGE plpgsql AS $$
DECLARE w wallet; h hold; v_available bigint;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  v_available := ledger_spendable(p_wallet, p_plans, w.last_at);
  SELECT * INTO h FROM hold x
    WHERE x.wallet_id = p_wallet AND x.operation = p_operation AND x.idempotency_key = p_key;
  IF FOUND THEN
    RETURN QUERY SELECT CASE WHEN h.fingerprint = p_print THEN 'replayed' ELSE 'conflict' END,
      h.id, h.public_id, h.run_id, h.state, h.amount, h.captured, h.opened_version, v_available;
    RETURN;
  END IF;
  IF p_amount > v_available THEN
    RETURN QUERY SELECT 'insufficient', NULL::bigint, NULL, NULL, NULL, p_amount, NULL::bigint,
      w.version, v_available;
    RETURN;
  END IF;
  w.held := w.held + p_amount;
  w.version := w.version + 1;
  INSERT INTO hold AS x (public_id, wallet_id, operation, idempotency_key, fingerprint, offering_id,
      run_id, owner, amount, captured, shortfall, state, created_at, expires_at, opened_version)
    VALUES (p_public, p_wallet, p_operation, p_key, p_print, p_offering,
      p_run, p_owner, p_amount, 0, 0, 'open', w.last_at, p_expires, w.version)
    RETURNING x.* INTO h;
  -- Draw-down, as in storage.credits: each grant bears what those before it could not.
  INSERT INTO allocation (wallet_id, hold_id, grant_id, amount)
    SELECT p_wallet, h.id, g.id, LEAST(g.remaining, p_amount - g.before)
      FROM (SELECT c.id, c.remaining,
          (SUM(c.remaining) OVER (ORDER BY c.priority, c.expires_at, c.id))::bigint - c.remaining
            AS before
        FROM credit_grant c
        WHERE c.wallet_id = p_wallet AND c.remaining > 0 AND c.state = 'active'
          AND c.plan_id = ANY (p_plans) AND c.effective_at <= w.last_at AND c.expires_at > w.last_at
      ) AS g WHERE g.before < p_amount;
  UPDATE credit_grant AS g SET remaining = g.remaining - a.amount, held = g.held + a.amount
    FROM allocation AS a WHERE a.hold_id = h.id AND g.id = a.grant_id;
  PERFORM ledger_save(w);
  RETURN QUERY SELECT 'opened', h.id, h.public_id, h.run_id, h.state, h.amount, h.captured,
    h.opened_version, v_available - p_amount;  -- a replay is never 'opened'
END $$;

-- Ends an open hold of a locked wallet: charges p_used in draw-down order, gives back the rest.
CREATE FUNCTION ledger_close(w wallet, h hold, p_state text, p_used bigint) RETURNS wallet
LANGUAGE plpgsql AS $$
DECLARE
  leg record;
  v_captured bigint := LEAST(p_used, h.amount);
  v_left bigint := LEAST(p_used, h.amount);
  v_use bigint;
  v_back bigint;
BEGIN
  FOR leg IN
    SELECT a.grant_id, a.amount, g.state FROM allocation a JOIN credit_grant g ON g.id = a.grant_id
      WHERE a.hold_id = h.id ORDER BY g.priority, g.expires_at, g.id
  LOOP
    v_use := LEAST(leg.amount, v_left);
    v_left := v_left - v_use;
    v_back := leg.amount - v_use;
    IF v_use > 0 THEN
      w := ledger_append(w, 'charge', -v_use, leg.grant_id, h.id, NULL);
    END IF;
    UPDATE credit_grant SET held = held - leg.amount,
        remaining = remaining + CASE WHEN leg.state = 'expired' THEN 0 ELSE v_back END
      WHERE id = leg.grant_id;
    IF leg.state = 'expired' AND v_back > 0 THEN
      w := ledger_append(w, 'expire', -v_back, leg.grant_id, NULL, NULL);
    END IF;
  END LOOP;
  IF p_state = 'captured' AND v_captured = 0 THEN
    w := ledger_append(w, 'charge', 0, NULL, h.id, NULL);
  END IF;
  w.held := w.held - h.amount;
  w.version := w.version + 1;
  UPDATE hold SET state = p_state, captured = v_captured, shortfall = p_used - v_captured,
    ended_at = w.last_at, ended_version = w.version WHERE id = h.id;
  RETURN w;
END $$;

-- Captures (p_state 'captured') or releases ('released', p_used 0) a hold. The same end again
-- returns what was recorded, another is answered 'closed'. Used after expiry: only a shortfall.
CREATE FUNCTION ledger_end(
  p_wallet bigint, p_hold bigint, p_plans bigint[], p_now bigint, p_state text, p_used bigint
) RETURNS TABLE (
  outcome text, public_id text, state text, captured bigint, shortfall bigint, at_version bigint,
  available bigint
) LANGUAGE plpgsql AS $$
DECLARE w wallet; h hold;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO h FROM hold x WHERE x.id = p_hold AND x.wallet_id = p_wallet;
  IF NOT FOUND THEN RETURN; END IF;
  outcome := 'ended';
  IF h.state = 'open' THEN
    w := ledger_close(w, h, p_state, p_used);
    PERFORM ledger_save(w);
  ELSIF h.state = 'expired' THEN
    UPDATE hold x SET shortfall = p_used WHERE x.id = p_hold AND x.shortfall = 0;
  ELSIF h.state <> p_state OR h.captured + h.shortfall <> p_used THEN
    outcome := 'closed';
  END IF;
  RETURN QUERY SELECT outcome, x.public_id, x.state, x.captured, x.shortfall, x.ended_version,
    ledger_spendable(p_wallet, p_plans, w.last_at) FROM hold x WHERE x.id = p_hold;
END $$;

CREATE FUNCTION ledger_renew(p_wallet bigint, p_hold bigint, p_expires bigint) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
  PERFORM ledger_locked_wallet(p_wallet, 0);
  UPDATE hold SET expires_at = GREATEST(expires_at, p_expires)
    WHERE id = p_hold AND wallet_id = p_wallet AND state = 'open';
  RETURN FOUND;
END $$;

-- Locks wallets, not holds, and passes over those that somebody is working on: the next sweep
-- comes soon. What is held of a grant past its time stays usable until its hold ends.
CREATE FUNCTION ledger_sweep(p_now bigint, p_most int, OUT holds int, OUT grants int)
LANGUAGE plpgsql AS $$
DECLARE v_wallet bigint; w wallet; h hold; g credit_grant;
BEGIN
  holds := 0;
  grants := 0;
  FOR v_wallet IN
    SELECT x.id FROM wallet x
      WHERE x.id IN (SELECT d.wallet_id FROM hold d WHERE d.state = 'open' AND d.expires_at <= p_now)
        OR x.id IN (SELECT d.wallet_id FROM credit_grant d
          WHERE d.state = 'active' AND d.expires_at <= p_now)
      ORDER BY x.id LIMIT p_most FOR NO KEY UPDATE SKIP LOCKED
  LOOP
    SELECT * INTO STRICT w FROM ledger_locked_wallet(v_wallet, p_now);
    FOR h IN
      SELECT * FROM hold d WHERE d.wallet_id = w.id AND d.state = 'open' AND d.expires_at <= p_now
        ORDER BY d.expires_at, d.id LIMIT p_most - holds
    LOOP
      w := ledger_close(w, h, 'expired', 0);
      holds := holds + 1;
    END LOOP;
    FOR g IN
      SELECT * FROM credit_grant d
        WHERE d.wallet_id = w.id AND d.state = 'active' AND d.expires_at <= p_now
        ORDER BY d.expires_at, d.id LIMIT p_most - grants
    LOOP
      UPDATE credit_grant SET remaining = 0, state = 'expired' WHERE id = g.id;
      IF g.remaining > 0 THEN
        w := ledger_append(w, 'expire', -g.remaining, g.id, NULL, NULL);
      END IF;
      grants := grants + 1;
    END LOOP;
    PERFORM ledger_save(w);
  END LOOP;
END $$;
