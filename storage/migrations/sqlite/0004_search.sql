-- What people search in, kept by triggers: titles, questions, and answers once they have ended.
-- Statements are divided by an empty line.

CREATE TABLE search_line (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    account_id INTEGER,
    thread_id TEXT NOT NULL,
    body TEXT NOT NULL
)

CREATE INDEX ix_search_line_thread_id ON search_line (thread_id)

CREATE VIRTUAL TABLE search_index USING fts5 (
    account_id, body, content = 'search_line', content_rowid = 'id', columnsize = 0,
    prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
)

CREATE TRIGGER search_line_added AFTER INSERT ON search_line BEGIN
    INSERT INTO search_index (rowid, account_id, body) VALUES (NEW.id, NEW.account_id, NEW.body);
END

CREATE TRIGGER search_line_removed AFTER DELETE ON search_line BEGIN
    INSERT INTO search_index (search_index, rowid, account_id, body)
    VALUES ('delete', OLD.id, OLD.account_id, OLD.body);
END

CREATE TRIGGER search_line_changed AFTER UPDATE ON search_line BEGIN
    INSERT INTO search_index (search_index, rowid, account_id, body)
    VALUES ('delete', OLD.id, OLD.account_id, OLD.body);
    INSERT INTO search_index (rowid, account_id, body) VALUES (NEW.id, NEW.account_id, NEW.body);
END

CREATE TRIGGER message_said AFTER INSERT ON message WHEN NEW.text <> '' BEGIN
    INSERT INTO search_line (key, account_id, thread_id, body)
    SELECT 'm:' || NEW.id, account_id, id, substr(NEW.text, 1, 100000)
    FROM thread WHERE id = NEW.thread_id;
END

CREATE TRIGGER message_changed AFTER UPDATE OF text ON message
WHEN NEW.text <> '' AND NOT EXISTS (
    SELECT 1 FROM run WHERE id = NEW.run_id AND ended_at IS NULL
) BEGIN
    INSERT INTO search_line (key, account_id, thread_id, body)
    SELECT 'm:' || NEW.id, account_id, id, substr(NEW.text, 1, 100000)
    FROM thread WHERE id = NEW.thread_id
    ON CONFLICT (key) DO UPDATE SET body = excluded.body;
END

CREATE TRIGGER message_deleted AFTER DELETE ON message BEGIN
    DELETE FROM search_line WHERE key = 'm:' || OLD.id;
END

CREATE TRIGGER thread_named AFTER INSERT ON thread WHEN NEW.title IS NOT NULL BEGIN
    INSERT INTO search_line (key, account_id, thread_id, body)
    VALUES ('t:' || NEW.id, NEW.account_id, NEW.id, NEW.title);
END

CREATE TRIGGER thread_renamed AFTER UPDATE OF title ON thread
WHEN NEW.title IS NOT NULL AND NEW.title IS NOT OLD.title BEGIN
    INSERT INTO search_line (key, account_id, thread_id, body)
    VALUES ('t:' || NEW.id, NEW.account_id, NEW.id, NEW.title)
    ON CONFLICT (key) DO UPDATE SET body = excluded.body;
END

CREATE TRIGGER thread_owned AFTER UPDATE OF account_id ON thread
WHEN NEW.account_id IS NOT OLD.account_id BEGIN
    UPDATE search_line SET account_id = NEW.account_id WHERE thread_id = NEW.id;
END

CREATE TRIGGER thread_deleted AFTER DELETE ON thread BEGIN
    DELETE FROM search_line WHERE thread_id = OLD.id;
END

INSERT INTO search_line (key, account_id, thread_id, body)
SELECT 't:' || id, account_id, id, title FROM thread WHERE title IS NOT NULL

INSERT INTO search_line (key, account_id, thread_id, body)
SELECT 'm:' || message.id, thread.account_id, thread.id, substr(message.text, 1, 100000)
FROM message JOIN thread ON thread.id = message.thread_id
WHERE message.text <> '' ORDER BY message.created_at
