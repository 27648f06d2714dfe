-- What is claimed of what is held, and a limit of the operator's beside one's own: these take the
-- place of functions of 0002, whose head says how all of them are written.

DROP FUNCTION ledger_batch(text[]);
DROP FUNCTION ledger_hold(bigint, text, text, text, bytea, bigint, bigint[], text, bigint, bigint,
  bigint, text);
DROP FUNCTION ledger_set_cap(bigint, bigint, bigint);
DROP FUNCTION ledger_revoke(bigint, bigint, bigint, bigint);
DROP FUNCTION ledger_close(wallet, hold, text, bigint);
DROP FUNCTION ledger_save(wallet);

CREATE FUNCTION ledger_save(w wallet) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE wallet SET credits = w.credits, debits = w.debits, held = w.held, seq = w.seq,
    version = w.version, head = w.head, last_at = w.last_at, spent_day = w.spent_day,
    spent = w.spent, daily_cap = w.daily_cap, operator_cap = w.operator_cap WHERE id = w.id;
END $$;

CREATE FUNCTION ledger_hold(
  p_wallet bigint, p_public text, p_operation text, p_key text, p_print bytea, p_amount bigint,
  p_plans bigint[], p_owner text, p_now bigint, p_expires bigint, p_offering bigint, p_run text
) RETURNS TABLE (
  outcome text, hold_id bigint, public_id text, run_id text, state text, amount bigint,
  captured bigint, at_version bigint, available bigint, cap bigint, spent bigint, resets_at bigint,
  is_operators boolean
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
  ELSIF p_amount > 0 AND spent + p_amount > LEAST(w.daily_cap, w.operator_cap) THEN
    outcome := 'over cap';
    cap := LEAST(w.daily_cap, w.operator_cap);  -- of one that is NULL, the other
    is_operators := w.operator_cap IS NOT DISTINCT FROM cap;
    resets_at := (w.last_at / c_day + 1) * c_day;
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

-- Ends an open hold of a locked wallet: charges p_used in draw-down order, gives back the rest. Of
-- what comes back to a grant, what is claimed of it is revoked; the rest expires if the grant has.
CREATE FUNCTION ledger_close(w wallet, h hold, p_state text, p_used bigint) RETURNS wallet
LANGUAGE plpgsql AS $$
DECLARE
  leg record;
  v_captured bigint := LEAST(p_used, h.amount);
  v_left bigint := LEAST(p_used, h.amount);
  v_use bigint;
  v_revoked bigint;
  v_expired bigint;
  v_day bigint := w.last_at / 86400000000;
BEGIN
  FOR leg IN
    SELECT a.grant_id, a.amount, g.state, g.claimed FROM allocation a CROSS JOIN LATERAL
        (SELECT * FROM credit_grant c WHERE c.id = a.grant_id OFFSET 0) AS g
      WHERE a.hold_id = h.id ORDER BY g.priority, g.expires_at, g.id
  LOOP
    v_use := LEAST(leg.amount, v_left);
    v_left := v_left - v_use;
    v_revoked := LEAST(leg.amount - v_use, leg.claimed);
    v_expired := CASE leg.state WHEN 'expired' THEN leg.amount - v_use - v_revoked ELSE 0 END;
    IF v_use > 0 THEN
      w := ledger_append(w, 'charge', -v_use, leg.grant_id, h.id, NULL, NULL);
    END IF;
    UPDATE credit_grant SET held = held - leg.amount,
        remaining = remaining + leg.amount - v_use - v_revoked - v_expired,
        revoked = revoked + v_revoked,
        claimed = LEAST(claimed - v_revoked, held - leg.amount)
      WHERE id = leg.grant_id;
    IF v_revoked > 0 THEN
      w := ledger_append(w, 'revoke', -v_revoked, leg.grant_id, NULL, NULL, NULL);
    END IF;
    IF v_expired > 0 THEN
      w := ledger_append(w, 'expire', -v_expired, leg.grant_id, NULL, NULL, NULL);
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

-- Takes back what is unspent of a grant, until p_target has been taken in all, and claims of what
-- is held what is missing of it.
CREATE FUNCTION ledger_revoke(p_wallet bigint, p_grant bigint, p_target bigint, p_now bigint)
RETURNS TABLE (state text, taken bigint, revoked bigint, at_version bigint) LANGUAGE plpgsql AS $$
DECLARE w wallet; g credit_grant; v_taken bigint; v_claimed bigint; v_state text;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  SELECT * INTO g FROM credit_grant x WHERE x.id = p_grant AND x.wallet_id = p_wallet;
  IF NOT FOUND THEN RETURN; END IF;
  v_taken := GREATEST(0, LEAST(g.remaining, p_target - g.revoked));
  v_claimed := GREATEST(g.claimed, LEAST(g.held, p_target - g.revoked - v_taken));
  v_state := CASE WHEN p_target >= g.amount AND g.state IN ('active', 'frozen') THEN 'revoked'
    ELSE g.state END;
  IF v_taken > 0 THEN
    w := ledger_append(w, 'revoke', -v_taken, g.id, NULL, NULL, NULL);
  END IF;
  IF v_state <> g.state OR v_claimed <> g.claimed THEN
    w := ledger_change(w, 'revoke', g.id, NULL);
  END IF;
  IF v_taken > 0 OR v_state <> g.state OR v_claimed <> g.claimed THEN
    UPDATE credit_grant x SET remaining = x.remaining - v_taken, revoked = x.revoked + v_taken,
      claimed = v_claimed, state = v_state WHERE x.id = g.id;
    PERFORM ledger_save(w);
  END IF;
  RETURN QUERY SELECT v_state, v_taken, g.revoked + v_taken, w.version;
END $$;

-- One's own limit and the operator's are two; the other one stays as it is.
CREATE FUNCTION ledger_set_cap(
  p_wallet bigint, p_cap bigint, p_is_operators boolean, p_now bigint
) RETURNS SETOF bigint LANGUAGE plpgsql AS $$
DECLARE w wallet;
BEGIN
  SELECT * INTO w FROM ledger_locked_wallet(p_wallet, p_now);
  IF NOT FOUND THEN RETURN; END IF;
  IF p_is_operators AND w.operator_cap IS DISTINCT FROM p_cap THEN
    w.operator_cap := p_cap;
    w := ledger_change(w, 'operator_cap', NULL, p_cap);
    PERFORM ledger_save(w);
  ELSIF NOT p_is_operators AND w.daily_cap IS DISTINCT FROM p_cap THEN
    w.daily_cap := p_cap;
    w := ledger_change(w, 'cap', NULL, p_cap);
    PERFORM ledger_save(w);
  END IF;
  RETURN NEXT w.version;
END $$;

-- Holds, captures and releases of many callers in one call and one commit. The wallets are taken
-- by id, so that two batches cannot wait for each other; what concerns one wallet is done in the
-- order in which it came. Each item is a JSON object; its position, from 1, comes with its answer.
-- An item without an answer names no wallet or hold.
CREATE FUNCTION ledger_batch(p_items text[]) RETURNS TABLE (
  "position" int, outcome text, hold_id bigint, public_id text, run_id text, state text,
  amount bigint, captured bigint, shortfall bigint, at_version bigint, available bigint, cap bigint,
  spent bigint, resets_at bigint, is_operators boolean
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
          h.amount, h.captured, NULL::bigint, h.at_version, h.available, h.cap, h.spent, h.resets_at,
          h.is_operators
        FROM ledger_hold(i.wallet, i.public, i.operation, i.key, decode(i.print, 'hex'), i.amount,
          i.plans, i.owner, i.now, i.expires, i.offering, i.run) h;
    ELSE
      RETURN QUERY SELECT i.position, e.outcome, NULL::bigint, e.public_id, NULL, e.state,
          NULL::bigint, e.captured, e.shortfall, e.at_version, e.available, NULL::bigint,
          NULL::bigint, NULL::bigint, NULL::boolean
        FROM ledger_end(i.wallet, i.hold, i.plans, i.now, i.state, i.amount) e;
    END IF;
  END LOOP;
END $$;
