-- The ledger's verbs on PostgreSQL, each one round trip; these take the place of those of 0001.
--
-- Every verb locks the wallet before it reads anything: under READ COMMITTED each statement after
-- the lock sees all that was committed before it. FOR NO KEY UPDATE lets foreign-key checks pass.
-- Whoever locks more than one row locks the wallet first, and whoever locks more than one wallet
-- takes them by id, so there is no deadlock between verbs. Refusals come back as rows. No row at
-- all means that there is no such wallet, hold or grant.
-- A verb changes its copy of the wallet's row and saves it once, at the end.
-- All are PL/pgSQL: it keeps its plans, where a function in SQL is planned anew at every call.
-- A plan may be made while a table is still empty and kept when it no longer is, so no statement
-- leaves a choice: rows are looked for by their whole key, and joined one by one (OFFSET 0 keeps a
-- subquery apart). Otherwise ending a hold would read all holds of its wallet.

DROP FUNCTION ledger_sweep(bigint, int);
DROP FUNCTION ledger_renew(bigint, bigint, bigint);
DROP FUNCTION ledger_end(bigint, bigint, bigint[], bigint, text, bigint);
DROP FUNCTION ledger_close(wallet, hold, text, bigint);
DROP FUNCTION ledger_hold(bigint, text, text, text, bytea, bigint, bigint[], text, bigint, bigint,
  bigint, text);
DROP FUNCTION ledger_grant(bigint, bigint, bigint, text, text, bigint, bigint, bigint, bigint,
  bigint, bigint, text);
DROP FUNCTION ledger_available(bigint, bigint[], bigint);
DROP FUNCTION ledger_spendable(bigint, bigint[], bigint);
DROP FUNCTION ledger_append(wallet, text, bigint, bigint, bigint, text);
DROP FUNCTION ledger_save(wallet);

CREATE FUNCTION ledger_save(w wallet) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE wallet SET credits = w.credits, debits = w.debits, held = w.held, seq = w.seq,
    version = w.version, head = w.head, last_at = w.last_at, spent_day = w.spent_day,
    spent = w.spent, daily_cap = w.daily_cap WHERE id = w.id;
END $$;

-- Writes the next entry at w.last_at and returns the wallet as it is afterwards.
CREATE FUNCTION ledger_append(
  w wallet, p_kind text, p_amount bigint, p_grant bigint, p_hold bigint, p_reverses bigint,
  p_key text
) RETURNS wallet LANGUAGE plpgsql AS $$
BEGIN
  w.seq := w.seq + 1;
  w.version := w.version + 1;
  w.credits := w.credits + GREATEST(p_amount, 0);
  w.debits := w.debits - LEAST(p_amount, 0);
  -- As in storage.chain. concat_ws drops NULLs, so each that may be one becomes ''.
  w.head := sha256(w.head || convert_to(concat_ws(chr(31), w.id, w.seq, w.version, p_kind, p_amount,
    w.credits - w.debits, COALESCE(p_grant::text, ''), COALESCE(p_hold::text, ''),
    COALESCE(p_reverses::text, ''), COALESCE(p_key, ''), w.last_at), 'UTF8'));
  INSERT INTO entry (wallet_id, seq, version, kind, amount, balance_after, grant_id, hold_id,
      reverses, idempotency_key, created_at, hash)
    VALUES (w.id, w.seq, w.version, p_kind, p_amount, w.credits - w.debits, p_grant, p_hold,
      p_reverses, p_key, w.last_at, w.head);
  RETURN w;
END $$;

-- Numbers a change that moves no credits.
CREATE FUNCTION ledger_change(w wallet, p_kind text, p_grant bigint, p_amount bigint)
RETURNS wallet LANGUAGE plpgsql AS $$
BEGIN
  w.version := w.version + 1;
  INSERT INTO wallet_change (wallet_id, version, kind, grant_id, amount, created_at)
    VALUES (w.id, w.version, p_kind, p_grant, p_amount, w.last_at);
  RETURN w;
END $$;

-- What can be spent now from live grants of these plans.
CREATE FUNCTION ledger_spendable(p_wallet bigint, p_plans bigint[], p_now bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN (SELECT COALESCE(SUM(g.remaining), 0) FROM credit_grant g
    WHERE g.wallet_id = p_wallet AND g.remaining + g.held > 0 AND g.state = 'active'
      AND g.plan_id = ANY (p_plans) AND g.effective_at <= p_now AND g.expires_at > p_now);
END $$;

CREATE FUNCTION ledger_available(p_wallet bigint, p_plans bigint[], p_now bigint)
RETURNS SETOF bigint LANGUAGE plpgsql STABLE AS $$
BEGIN
  RETURN QUERY SELECT ledger_spendable(id, p_plans, GREATEST(last_at, p_now))
    FROM wallet WHERE id = p_wallet;
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
  w := ledger_append(w, 'grant', p_amount, grant_id, NULL, NULL, v_key);
  PERFORM ledger_save(w);
  RETURN QUERY SELECT grant_id, true, w.version;
END $$;

CREATE FUNCTION ledger_hold(
  p_wallet bigint, p_public text, p_operation text, p_key text, p_print bytea, p_amount bigint,
  p_plans bigint[], p_owner text, p_now bigint, p_expires bigint, p_offering bigint, p_run text
) RETURNS TABLE (
  outcome text, hold_id bigint, public_id text, run_id text, state text, amount bigint,
  captured bigint, at_version bigint, available bigint, cap bigint, spent bigint, resets_at bigint
) LANGUAGE plpgsql AS $$
DECLARE
  c_day constant bigint := 86400000000;  -- in microseconds; a cap counts days of UTC
  w wallet;
  h hold;
BEGIN
  SELECT * INTO w FROM wallet x WHERE x.id = p_wallet FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  w.last_at := GREATEST(w.last_at, p_now);
  at_version := w.version;
  available := ledger_spendable(p_wallet, p_plans, w.last_at);
  SELECT * INTO h FROM hold x
    WHERE x.wallet_id = p_wallet AND x.operation = p_operation AND x.idempotency_key = p_key;
  IF FOUND AND h.fingerprint <> p_print THEN
    outcome := 'conflict';
    RETURN NEXT;
    RETURN;
  ELSIF FOUND THEN
    outcome := 'replayed';  -- which is never 'opened'
    hold_id := h.id; public_id := h.public_id; run_id := h.run_id; state := h.state;
    amount := h.amount; captured := h.captured; at_version := h.opened_version;
    RETURN NEXT;
    RETURN;
  END IF;
  amount := p_amount;
  spent := w.held + CASE WHEN w.spent_day = w.last_at / c_day THEN w.spent ELSE 0 END;
  IF p_amount > available THEN
    outcome := 'insufficient';
    RETURN NEXT;
    RETURN;
  ELSIF p_amount > 0 AND spent + p_amount > w.daily_cap THEN
    outcome := 'over cap';
    cap := w.daily_cap; resets_at := (w.last_at / c_day + 1) * c_day;
    RETURN NEXT;
    RETURN;
  END IF;
  w.held := w.held + p_amount;
  w.version := w.version + 1;
  INSERT INTO hold AS x (public_id, wallet_id, operation, idempotency_key, fingerprint, offering_id,
      run_id, owner, amount, captured, shortfall, state, created_at, expires_at, opened_version)
    VALUES (p_public::uuid, p_wallet, p_operation, p_key, p_print, p_offering,
      p_run, p_owner, p_amount, 0, 0, 'open', w.last_at, p_expires, w.version)
    RETURNING x.id INTO hold_id;
  PERFORM ledger_draw_down(w, hold_id, p_amount, p_plans);
  PERFORM ledger_save(w);
  outcome := 'opened';
  public_id := p_public; at_version := w.version; available := available - p_amount;
  RETURN NEXT;
END $$;

-- Sets an amount aside for a hold: each grant bears what those before it could not, in the order
-- of storage.credits.draw_down. Whether they suffice has been asked before.
CREATE FUNCTION ledger_draw_down(w wallet, p_hold bigint, p_amount bigint, p_plans bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE g record; v_left bigint := p_amount; v_part bigint;
BEGIN
  FOR g IN
    SELECT c.id, c.remaining FROM credit_grant c
      WHERE c.wallet_id = w.id AND c.remaining + c.held > 0 AND c.remaining > 0
        AND c.state = 'active' AND c.plan_id = ANY (p_plans)
        AND c.effective_at <= w.last_at AND c.expires_at > w.last_at
      ORDER BY c.priority, c.expires_at, c.id
  LOOP
    EXIT WHEN v_left <= 0;
    v_part := LEAST(g.remaining, v_left);
    v_left := v_left - v_part;
    INSERT INTO allocation (wallet_id, hold_id, grant_id, amount)
      VALUES (w.id, p_hold, g.id, v_part);
    UPDATE credit_grant SET remaining = remaining - v_part, held = held + v_part WHERE id = g.id;
  END LOOP;
END $$;

-- Ends an open hold of a locked wallet: charges p_used in draw-down order, gives back the rest.
-- What comes back to a grant that has ended ends as the grant did.
CREATE FUNCTION ledger_close(w wallet, h hold, p_state text, p_used bigint) RETURNS wallet
LANGUAGE plpgsql AS $$
DECLARE
  leg record;
  v_captured bigint := LEAST(p_used, h.amount);
  v_left bigint := LEAST(p_used, h.amount);
  v_use bigint;
  v_back bigint;
  v_day bigint := w.last_at / 86400000000;
BEGIN
  FOR leg IN
    SELECT a.grant_id, a.amount, g.state FROM allocation a CROSS JOIN LATERAL
        (SELECT * FROM credit_grant c WHERE c.id = a.grant_id OFFSET 0) AS g
      WHERE a.hold_id = h.id ORDER BY g.priority, g.expires_at, g.id
  LOOP
    v_use := LEAST(leg.amount, v_left);
    v_left := v_left - v_use;
    v_back := leg.amount - v_use;
    IF v_use > 0 THEN
      w := ledger_append(w, 'charge', -v_use, leg.grant_id, h.id, NULL, NULL);
    END IF;
    UPDATE credit_grant SET held = held - leg.amount,
        remaining = remaining + CASE WHEN leg.state IN ('expired', 'revoked') THEN 0 ELSE v_back END,
        revoked = revoked + CASE WHEN leg.state = 'revoked' THEN v_back ELSE 0 END
      WHERE id = leg.grant_id;
    IF leg.state IN ('expired', 'revoked') AND v_back > 0 THEN
      w := ledger_append(w, CASE leg.state WHEN 'expired' THEN 'expire' ELSE 'revoke' END,
        -v_back, leg.grant_id, NULL, NULL, NULL);
    END IF;
  END LOOP;
  IF p_state = 'captured' AND v_captured = 0 THEN
    w := ledger_append(w, 'charge', 0, NULL, h.id, NULL, NULL);
  END IF;
  IF v_captured > 0 THEN
    w.spent := v_captured + CASE WHEN w.spent_day = v_day THEN w.spent ELSE 0 END;
    w.spent_day := v_day;
  END IF;
  w.held := w.held - h.amount;
  w.version := w.version + 1;
  UPDATE hold SET state = p_state, captured = v_captured, shortfall = p_used - v_captured,
    ended_at = w.last_at, ended_version = w.version WHERE id = h.id;
  RETURN w;
END $$;

-- How far down a balance is, as storage.credits.balance_mark: 0 fine, 1 low, 2 exhausted.
CREATE FUNCTION ledger_mark(p_left bigint, p_price bigint, p_last_grant bigint) RETURNS int
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE WHEN p_left < p_price THEN 2
    WHEN p_left < 5 * p_price AND p_left * 5 < p_last_grant THEN 1 ELSE 0 END;
END $$;

-- Captures (p_state 'captured') or releases ('released', p_used 0) a hold. The same end again
-- returns what was recorded, another is answered 'closed'. Used after expiry: only a shortfall.
-- A charge that crosses a threshold of the balance is announced in the outbox.
CREATE FUNCTION ledger_end(
  p_wallet bigint, p_hold bigint, p_plans bigint[], p_now bigint, p_state text, p_used bigint
) RETURNS TABLE (
  outcome text, public_id text, state text, captured bigint, shortfall bigint, at_version bigint,
  available bigint
) LANGUAGE plpgsql AS $$
DECLARE w wallet; h hold;
BEGIN
  SELECT * INTO w FROM wallet x WHERE x.id = p_wallet FOR NO KEY UPDATE;
  IF NOT FOUND THEN RETURN; END IF;
  w.last_at := GREATEST(w.last_at, p_now);
  SELECT * INTO h FROM hold x WHERE x.id = p_hold;  -- by its id alone, see below
  IF NOT FOUND OR h.wallet_id <> p_wallet THEN RETURN; END IF;
  outcome := 'ended';
  public_id := h.public_id; state := h.state; captured := h.captured; shortfall := h.shortfall;
  at_version := h.ended_version;
  IF h.state = 'open' THEN
    w := ledger_close(w, h, p_state, p_used);
    PERFORM ledger_save(w);
    state := p_state; captured := LEAST(p_used, h.amount); shortfall := p_used - captured;
    at_version := w.version;
    IF captured > 0 THEN
      PERFORM ledger_tell_if_low(w, h, p_plans);
    END IF;
  ELSIF h.state = 'expired' AND h.shortfall = 0 AND p_used > 0 THEN
    UPDATE hold x SET shortfall = p_used WHERE x.id = p_hold;
    shortfall := p_used;
  ELSIF h.state <> 'expired' AND (h.state <> p_state OR h.captured + h.shortfall <> p_used) THEN
    outcome := 'closed';
    at_version := w.version;
  END IF;
  available := ledger_spendable(p_wallet, p_plans, w.last_at);
  RETURN NEXT;
END $$;

-- Announces, with a charge itself, the threshold that it crossed. A balance that is enough for
-- five more is neither low nor exhausted, whatever was granted last.
CREATE FUNCTION ledger_tell_if_low(w wallet, h hold, p_plans bigint[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_left bigint; v_last_grant bigint; v_charged bigint; v_mark int;
BEGIN
  SELECT COALESCE(SUM(g.remaining + g.held), 0) INTO v_left FROM credit_grant g
    WHERE g.wallet_id = w.id AND g.remaining + g.held > 0 AND g.state = 'active'
      AND g.plan_id = ANY (p_plans) AND g.effective_at <= w.last_at AND g.expires_at > w.last_at;
  IF v_left >= 5 * h.amount THEN RETURN; END IF;
  SELECT COALESCE((SELECT g.amount FROM credit_grant g
    WHERE g.wallet_id = w.id AND g.remaining + g.held > 0 AND g.state = 'active'
      AND g.plan_id = ANY (p_plans) AND g.effective_at <= w.last_at AND g.expires_at > w.last_at
    ORDER BY g.id DESC LIMIT 1), 0) INTO v_last_grant;
  -- What it took from a grant that has ended meanwhile had left the balance before.
  SELECT COALESCE(-SUM(e.amount), 0) INTO v_charged
    FROM entry e JOIN credit_grant g ON g.id = e.grant_id
    WHERE e.hold_id = h.id AND e.kind = 'charge' AND g.state = 'active'
      AND g.plan_id = ANY (p_plans) AND g.effective_at <= w.last_at AND g.expires_at > w.last_at;
  v_mark := ledger_mark(v_left, h.amount, v_last_grant);
  IF v_mark > ledger_mark(v_left + v_charged, h.amount, v_last_grant) THEN
    INSERT INTO outbox (topic, payload, created_at) VALUES (
      CASE v_mark WHEN 1 THEN 'balance.low' ELSE 'balance.exhausted' END,
      json_build_object('wallet_id', w.id, 'plan_ids', p_plans, 'left', v_left,
        'price', h.amount, 'version', w.version), w.last_at);
  END IF;
END $$;

CREATE FUNCTION ledger_renew(p_wallet bigint, p_hold bigint, p_expires bigint)
RETURNS TABLE (is_open boolean, at_version bigint) LANGUAGE plpgsql AS $$
DECLARE w wallet;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, 0);
  IF NOT FOUND THEN RETURN; END IF;
  UPDATE hold SET expires_at = GREATEST(expires_at, p_expires)
    WHERE id = p_hold AND wallet_id = p_wallet AND state = 'open';
  RETURN QUERY SELECT FOUND, w.version;
END $$;

-- Gives back part or all of a charge: the newest leg first, each as a new grant like its own.
CREATE FUNCTION ledger_refund(
  p_wallet bigint, p_hold bigint, p_key text, p_amount bigint, p_now bigint
) RETURNS TABLE (outcome text, refund_id bigint, amount bigint, at_version bigint)
LANGUAGE plpgsql AS $$
DECLARE
  c_lives constant bigint := 30 * 86400000000;  -- as storage.credits.REFUND_LIVES_AT_LEAST
  w wallet;
  r refund;
  leg record;
  v_left bigint := p_amount;
  v_refundable bigint;
  v_part bigint;
  v_grant bigint;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO r FROM refund x WHERE x.wallet_id = p_wallet AND x.idempotency_key = p_key;
  IF FOUND THEN
    IF r.hold_id = p_hold AND r.amount = p_amount THEN
      RETURN QUERY SELECT 'replayed', r.id, r.amount, r.version;
    ELSE
      RETURN QUERY SELECT 'conflict', NULL::bigint, NULL::bigint, w.version;
    END IF;
    RETURN;
  END IF;
  SELECT COALESCE(-SUM(e.amount), 0) - COALESCE((SELECT SUM(x.amount) FROM refund x
        WHERE x.wallet_id = p_wallet AND x.hold_id = p_hold), 0) INTO v_refundable
    FROM entry e WHERE e.wallet_id = p_wallet AND e.hold_id = p_hold AND e.kind = 'charge';
  IF p_amount > v_refundable THEN
    RETURN QUERY SELECT 'too much', NULL::bigint, v_refundable, w.version;
    RETURN;
  END IF;
  FOR leg IN
    SELECT c.seq, c.grant_id, -c.amount - COALESCE((SELECT SUM(x.amount) FROM entry x
        WHERE x.wallet_id = c.wallet_id AND x.reverses = c.seq), 0)::bigint AS refundable
      FROM entry c WHERE c.wallet_id = p_wallet AND c.hold_id = p_hold AND c.kind = 'charge'
      ORDER BY c.seq DESC
  LOOP
    v_part := LEAST(leg.refundable, v_left);
    CONTINUE WHEN v_part <= 0;
    v_left := v_left - v_part;
    INSERT INTO credit_grant (wallet_id, plan_id, plan_version_id, source, source_ref, priority,
        effective_at, expires_at, amount, remaining, held, revoked, state, origin_id)
      SELECT wallet_id, plan_id, plan_version_id, 'refund', p_key || '/' || leg.seq, priority,
          w.last_at, GREATEST(expires_at, w.last_at + c_lives), v_part, v_part, 0, 0, 'active',
          COALESCE(origin_id, id)
        FROM credit_grant WHERE id = leg.grant_id
      RETURNING id INTO v_grant;
    w := ledger_append(w, 'refund', v_part, v_grant, NULL, leg.seq, p_key || '/' || leg.seq);
  END LOOP;
  INSERT INTO refund (wallet_id, hold_id, idempotency_key, amount, version, created_at)
    VALUES (p_wallet, p_hold, p_key, p_amount, w.version, w.last_at) RETURNING id INTO refund_id;
  PERFORM ledger_save(w);
  RETURN QUERY SELECT 'refunded', refund_id, p_amount, w.version;
END $$;

-- Takes back what is unspent of a grant, until p_target has been taken in all.
CREATE FUNCTION ledger_revoke(p_wallet bigint, p_grant bigint, p_target bigint, p_now bigint)
RETURNS TABLE (state text, taken bigint, revoked bigint, at_version bigint) LANGUAGE plpgsql AS $$
DECLARE w wallet; g credit_grant; v_taken bigint; v_state text;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO g FROM credit_grant x WHERE x.id = p_grant AND x.wallet_id = p_wallet;
  IF NOT FOUND THEN RETURN; END IF;
  v_taken := GREATEST(0, LEAST(g.remaining, p_target - g.revoked));
  v_state := CASE WHEN p_target >= g.amount AND g.state IN ('active', 'frozen') THEN 'revoked'
    ELSE g.state END;
  IF v_taken > 0 THEN
    w := ledger_append(w, 'revoke', -v_taken, g.id, NULL, NULL, NULL);
  END IF;
  IF v_state <> g.state THEN
    w := ledger_change(w, 'revoke', g.id, NULL);
  END IF;
  IF v_taken > 0 OR v_state <> g.state THEN
    UPDATE credit_grant x SET remaining = x.remaining - v_taken, revoked = x.revoked + v_taken,
      state = v_state WHERE x.id = g.id;
    PERFORM ledger_save(w);
  END IF;
  RETURN QUERY SELECT v_state, v_taken, g.revoked + v_taken, w.version;
END $$;

-- Freezes (p_from 'active', p_to 'frozen') or unfreezes a grant; one that has ended stays so.
CREATE FUNCTION ledger_set_frozen(
  p_wallet bigint, p_grant bigint, p_kind text, p_from text, p_to text, p_now bigint
) RETURNS TABLE (state text, revoked bigint, at_version bigint) LANGUAGE plpgsql AS $$
DECLARE w wallet; g credit_grant;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO g FROM credit_grant x WHERE x.id = p_grant AND x.wallet_id = p_wallet;
  IF NOT FOUND THEN RETURN; END IF;
  IF g.state = p_from THEN
    g.state := p_to;
    UPDATE credit_grant x SET state = p_to WHERE x.id = g.id;
    w := ledger_change(w, p_kind, g.id, NULL);
    PERFORM ledger_save(w);
  END IF;
  RETURN QUERY SELECT g.state, g.revoked, w.version;
END $$;

CREATE FUNCTION ledger_set_cap(p_wallet bigint, p_cap bigint, p_now bigint) RETURNS SETOF bigint
LANGUAGE plpgsql AS $$
DECLARE w wallet;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  IF w.daily_cap IS DISTINCT FROM p_cap THEN
    w.daily_cap := p_cap;
    w := ledger_change(w, 'cap', NULL, p_cap);
    PERFORM ledger_save(w);
  END IF;
  RETURN NEXT w.version;
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
        w := ledger_append(w, 'expire', -g.remaining, g.id, NULL, NULL, NULL);
      END IF;
      grants := grants + 1;
    END LOOP;
    PERFORM ledger_save(w);
  END LOOP;
END $$;

-- Holds, captures and releases of many callers in one call and one commit. The wallets are taken
-- by id, so that two batches cannot wait for each other; what concerns one wallet is done in the
-- order in which it came. Each item is a JSON object; its position, from 1, comes with its answer.
-- An item without an answer names no wallet or hold.
CREATE FUNCTION ledger_batch(p_items text[]) RETURNS TABLE (
  "position" int, outcome text, hold_id bigint, public_id text, run_id text, state text,
  amount bigint, captured bigint, shortfall bigint, at_version bigint, available bigint, cap bigint,
  spent bigint, resets_at bigint
) LANGUAGE plpgsql AS $$
DECLARE i record;
BEGIN
  FOR i IN
    SELECT u.position::int AS position, x.* FROM unnest(p_items) WITH ORDINALITY AS u(item, position),
        jsonb_to_record(u.item::jsonb) AS x(
          wallet bigint, "public" text, operation text, key text, print text, amount bigint,
          plans bigint[], owner text, now bigint, expires bigint, offering bigint, run text,
          hold bigint, state text)
      ORDER BY x.wallet, u.position
  LOOP
    IF i.hold IS NULL THEN
      RETURN QUERY SELECT i.position, h.outcome, h.hold_id, h.public_id, h.run_id, h.state,
          h.amount, h.captured, NULL::bigint, h.at_version, h.available, h.cap, h.spent, h.resets_at
        FROM ledger_hold(i.wallet, i.public, i.operation, i.key, decode(i.print, 'hex'), i.amount,
          i.plans, i.owner, i.now, i.expires, i.offering, i.run) h;
    ELSE
      RETURN QUERY SELECT i.position, e.outcome, NULL::bigint, e.public_id, NULL, e.state,
          NULL::bigint, e.captured, e.shortfall, e.at_version, e.available, NULL::bigint,
          NULL::bigint, NULL::bigint
        FROM ledger_end(i.wallet, i.hold, i.plans, i.now, i.state, i.amount) e;
    END IF;
  END LOOP;
END $$;
