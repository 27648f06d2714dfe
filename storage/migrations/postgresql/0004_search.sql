-- What people search in, kept by triggers: titles, questions, and answers once they have ended.
-- Statements are divided by an empty line.

CREATE FUNCTION search_fold(body text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE STRICT AS $$
    SELECT translate(
        lower(regexp_replace(normalize(body, NFKD), '[\u0300-\u036F]', '', 'g')),
        '@./;:,\-_+&?!=#%*<>|()[]{}"''`~^$', repeat(' ', 34)
    )
$$

CREATE TABLE search_line (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text NOT NULL UNIQUE,
    account_id bigint,
    thread_id text NOT NULL,
    body text NOT NULL,
    words tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, search_fold(body))) STORED
)

CREATE INDEX ix_search_line_words ON search_line USING gin (words)

CREATE INDEX ix_search_line_account_id ON search_line (account_id)

CREATE INDEX ix_search_line_thread_id ON search_line (thread_id)

CREATE FUNCTION search_keeps_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.text <> '' AND (TG_OP = 'INSERT' OR NOT EXISTS (
        SELECT 1 FROM run WHERE id = NEW.run_id AND ended_at IS NULL
    )) THEN
        INSERT INTO search_line (key, account_id, thread_id, body)
        SELECT 'm:' || NEW.id, account_id, id, substr(NEW.text, 1, 100000)
        FROM thread WHERE id = NEW.thread_id
        ON CONFLICT (key) DO UPDATE SET body = excluded.body;
    END IF;
    RETURN NULL;
END $$

CREATE FUNCTION search_forgets_message() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM search_line WHERE key = 'm:' || OLD.id;
    RETURN NULL;
END $$

CREATE FUNCTION search_keeps_thread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND NEW.account_id IS DISTINCT FROM OLD.account_id THEN
        UPDATE search_line SET account_id = NEW.account_id WHERE thread_id = NEW.id;
    END IF;
    IF NEW.title IS NOT NULL THEN
        INSERT INTO search_line (key, account_id, thread_id, body)
        VALUES ('t:' || NEW.id, NEW.account_id, NEW.id, NEW.title)
        ON CONFLICT (key) DO UPDATE SET body = excluded.body
        WHERE search_line.body <> excluded.body;
    END IF;
    RETURN NULL;
END $$

CREATE FUNCTION search_forgets_thread() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM search_line WHERE thread_id = OLD.id;
    RETURN NULL;
END $$

CREATE TRIGGER message_said AFTER INSERT OR UPDATE OF text ON message
FOR EACH ROW EXECUTE FUNCTION search_keeps_message()

CREATE TRIGGER message_deleted AFTER DELETE ON message
FOR EACH ROW EXECUTE FUNCTION search_forgets_message()

CREATE TRIGGER thread_named AFTER INSERT OR UPDATE OF title, account_id ON thread
FOR EACH ROW EXECUTE FUNCTION search_keeps_thread()

CREATE TRIGGER thread_deleted AFTER DELETE ON thread
FOR EACH ROW EXECUTE FUNCTION search_forgets_thread()

INSERT INTO search_line (key, account_id, thread_id, body)
SELECT 't:' || id, account_id, id, title FROM thread WHERE title IS NOT NULL

INSERT INTO search_line (key, account_id, thread_id, body)
SELECT 'm:' || message.id, thread.account_id, thread.id, substr(message.text, 1, 100000)
FROM message JOIN thread ON thread.id = message.thread_id
WHERE message.text <> '' ORDER BY message.created_at
