-- What is claimed of what is held: these take the place of functions of 0002, whose head says how
-- all of them are written.

DROP FUNCTION ledger_close(wallet, hold, text, bigint);
DROP FUNCTION ledger_revoke(bigint, bigint, bigint, bigint);

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
