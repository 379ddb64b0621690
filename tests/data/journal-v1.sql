-- A journal as schema version 1 wrote it.
PRAGMA application_id = 1346917189;
PRAGMA user_version = 1;
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    owner   INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    subject ANY     NOT NULL,
    cause   INTEGER,
    actor   TEXT,
    data    TEXT,
    at_ms   INTEGER NOT NULL
) STRICT;
CREATE TABLE message (
    seq            INTEGER PRIMARY KEY,
    id             BLOB    NOT NULL,
    owner          INTEGER NOT NULL,
    sender         TEXT    NOT NULL,
    target         TEXT    NOT NULL,
    kind           INTEGER NOT NULL,
    client_id      TEXT,
    thread         TEXT,
    reply_to       TEXT,
    lane           INTEGER NOT NULL,
    deadline_ms    INTEGER,
    expects_answer INTEGER NOT NULL,
    encoding       INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    meta           BLOB    NOT NULL,
    payload        BLOB    NOT NULL
) STRICT;
CREATE TABLE delivery (
    message        BLOB    NOT NULL,
    owner          INTEGER NOT NULL,
    recipient      TEXT    NOT NULL,
    seq            INTEGER NOT NULL,
    state          INTEGER NOT NULL,
    ended          INTEGER NOT NULL,
    expects_answer INTEGER NOT NULL,
    size           INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    evidence       INTEGER,
    run            TEXT,
    reason         TEXT,
    PRIMARY KEY (message, owner, recipient)
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_open ON delivery (seq, owner, recipient, size) WHERE ended = 0;
CREATE TABLE inbox (
    owner     INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (owner, recipient, seq)
) STRICT, WITHOUT ROWID;
CREATE TABLE dedupe (
    owner       INTEGER NOT NULL,
    sender      TEXT    NOT NULL,
    client_id   TEXT    NOT NULL,
    message     BLOB    NOT NULL,
    accepted_ms INTEGER NOT NULL,
    PRIMARY KEY (owner, sender, client_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE settled (seq INTEGER NOT NULL) STRICT;
INSERT INTO settled VALUES (0);
CREATE TABLE document (
    kind  TEXT    NOT NULL,
    owner INTEGER NOT NULL,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (kind, owner, key)
) STRICT, WITHOUT ROWID;
INSERT INTO event VALUES
    (1, 1, 1000, 'accepted', x'01900000000070008000000000000001', NULL, 'alice', '{"to":"bob","recipients":1}', 1790000000000),
    (2, 1, 1000, 'receipt', x'01900000000070008000000000000001', NULL, 'bob', '{"to":"bob","state":"answered","attempt":1,"evidence":"reply"}', 1790000001000),
    (3, 1, 1000, 'accepted', x'01900000000070008000000000000002', NULL, 'alice', '{"to":"bob","recipients":1}', 1790000002000),
    (4, 1, 1000, 'receipt', x'01900000000070008000000000000002', 3, NULL, '{"to":"bob","state":"queued","attempt":0,"reason":"bob is away"}', 1790000002001),
    (5, 1, 1000, 'session.state', 'session/bob', 4, NULL, NULL, 1790000003000);
INSERT INTO message VALUES
    (1, x'01900000000070008000000000000001', 1000, 'alice', 'bob', 10, 'c1', NULL, NULL, 1, NULL, 1, 1, 1790000000000, x'', CAST('a question' AS BLOB)),
    (3, x'01900000000070008000000000000002', 1000, 'alice', 'bob', 10, 'c2', 't1', NULL, 1, 1790000900000, 0, 1, 1790000002000, x'', CAST('still waiting' AS BLOB));
INSERT INTO delivery VALUES
    (x'01900000000070008000000000000001', 1000, 'bob', 1, 6, 1, 1, 10, 1, 1790000001000, 7, 'run-1', NULL),
    (x'01900000000070008000000000000002', 1000, 'bob', 3, 2, 0, 0, 13, 0, 1790000002001, NULL, NULL, 'bob is away');
INSERT INTO dedupe VALUES
    (1000, 'alice', 'c1', x'01900000000070008000000000000001', 1790000000000),
    (1000, 'alice', 'c2', x'01900000000070008000000000000002', 1790000002000);
INSERT INTO document VALUES ('session', 1000, 'bob', '{"harness":"codex"}');
