//! The points there are, in the order in which a message, a start or a move comes by them.

macro_rules! points {
    ($($(#[doc = $words:literal])+ $point:ident = $name:literal,)+) => {
        /// A place in the daemon or its holder.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Point {
            $($(#[doc = $words])+ $point,)+
        }

        impl Point {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$point),+];

            /// The name of the file that arms it.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$point => $name,)+
                }
            }

            /// What has happened there, and what has not.
            pub const fn words(self) -> &'static str {
                match self {
                    $(Self::$point => concat!($($words),+),)+
                }
            }
        }
    };
}

points! {
    /// The journal's tables are made or brought up to date; that is not committed.
    MigrateBefore = "migrate.before",
    /// It is committed.
    MigrateAfter = "migrate.after",
    /// A connection was accepted; its HELLO is not read.
    GateAccept = "gate.accept",
    /// Frames of messages were read; post does not have them.
    GateFrames = "gate.frames",
    /// Post has decided on changes; the journal does not have them.
    PostSubmit = "post.submit",
    /// The changes are in a transaction; it is not committed. Can fail, as on a full disk.
    JournalBefore = "journal.before",
    /// The transaction is committed, and flushed if it had to be; nobody was told.
    JournalAfter = "journal.after",
    /// Post heard of the commit; nothing has followed from it.
    PostCommitted = "post.committed",
    /// Frames (receipts, deliveries) are about to be handed to a connection.
    PostFrames = "post.frames",
    /// Bytes were written to a client's socket.
    GateWritten = "gate.written",
    /// A message is about to be handed to its session.
    PostInject = "post.inject",
    /// The session may type; its intent is not noted.
    SessionNote = "session.note",
    /// The intent is in the journal; the holder was not told.
    SessionWrite = "session.write",
    /// The holder has typed the body; neither journal nor sender know.
    SessionWritten = "session.written",
    /// The holder has pressed Enter; neither journal nor sender know.
    SessionSubmitted = "session.submitted",
    /// The harness shows that it took the message; neither journal nor sender know.
    SessionConfirm = "session.confirm",
    /// The run is in the journal; no holder was started. Can fail.
    SpawnBefore = "spawn.before",
    /// The holder's process runs; it was not told what to start.
    SpawnHolder = "spawn.holder",
    /// The run was started; the daemon has not noted that.
    SpawnAfter = "spawn.after",
    /// The holder of an earlier daemon's run is about to be looked for.
    AdoptBefore = "adopt.before",
    /// The holder has said how its run is; the session is not up.
    AdoptAfter = "adopt.after",
    /// A move is decided; the old run is not ended.
    FailoverEnd = "failover.end",
    /// The old run is proven gone; the new one is not started.
    FailoverSwap = "failover.swap",
    /// In the holder: the harness runs; the daemon was not told.
    HolderStarted = "holder.started",
    /// In the holder: a daemon said HELLO; it has no answer.
    HolderAdopt = "holder.adopt",
    /// In the holder: a script has come; nothing of it is typed.
    HolderWrite = "holder.write",
    /// In the holder: the body is typed, Enter is not pressed.
    HolderBody = "holder.body",
    /// In the holder: Enter is pressed; the daemon was not told.
    HolderEnter = "holder.enter",
}
