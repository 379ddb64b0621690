-- Journal schema, version 1. Times are Unix milliseconds; codes are the wire protocol's numbers; owners are uids.

-- What happened: append-only, `seq` is never reused.
CREATE TABLE event (
    seq     INTEGER PRIMARY KEY,
    version INTEGER NOT NULL,
    owner   INTEGER NOT NULL,
    kind    TEXT    NOT NULL,
    subject ANY     NOT NULL, -- BLOB: a message id; TEXT: anything else
    cause   INTEGER,
    actor   TEXT,
    data    TEXT,
    at_ms   INTEGER NOT NULL
) STRICT;

-- A message and its body, once. `seq` is that of its `accepted` event: new rows are appended to the tree, and the order
-- of rows is the order of acceptance.
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
    lane           INTEGER NOT NULL, -- when it may be injected
    deadline_ms    INTEGER,
    expects_answer INTEGER NOT NULL,
    encoding       INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    meta           BLOB    NOT NULL,
    payload        BLOB    NOT NULL
) STRICT;

-- How far a message has come for each recipient. Ended rows stay for receipts until retention.
CREATE TABLE delivery (
    message        BLOB    NOT NULL,
    owner          INTEGER NOT NULL,
    recipient      TEXT    NOT NULL,
    seq            INTEGER NOT NULL, -- of the message
    state          INTEGER NOT NULL,
    ended          INTEGER NOT NULL,
    expects_answer INTEGER NOT NULL, -- as in the message: decides whether `delivered` is an end
    size           INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    evidence       INTEGER,
    run            TEXT,
    reason         TEXT,
    PRIMARY KEY (message, owner, recipient)
) STRICT, WITHOUT ROWID;

-- What has not ended yet: what a start, a spilled inbox and its bounds read. In the order of acceptance, so that a busy
-- journal works on its last page only.
CREATE INDEX delivery_open ON delivery (seq, owner, recipient, size) WHERE ended = 0;

-- Two look-up tables whose keys come in nobody's order. They lag: `settled.seq` is the last message that is in them.

-- Whole inboxes.
CREATE TABLE inbox (
    owner     INTEGER NOT NULL,
    recipient TEXT    NOT NULL,
    seq       INTEGER NOT NULL,
    PRIMARY KEY (owner, recipient, seq)
) STRICT, WITHOUT ROWID;

-- Which client ids were used lately.
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

-- Small JSON values that are read whole at start.
CREATE TABLE document (
    kind  TEXT    NOT NULL,
    owner INTEGER NOT NULL,
    key   TEXT    NOT NULL,
    value TEXT    NOT NULL,
    PRIMARY KEY (kind, owner, key)
) STRICT, WITHOUT ROWID;
