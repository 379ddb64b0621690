//! Every refusal and fault a peer can be told of.

crate::codes! {
    /// Code of an ERROR frame. The sentence beside it is for people; programs go by the code.
    pub enum ErrorCode {
        /// The request is malformed in a way no other code names.
        BadRequest = 1 => "BAD_REQUEST",
        /// The peer's user may not use this daemon.
        Unauthorized = 2 => "UNAUTHORIZED",
        /// The thing asked for does not exist.
        NotFound = 3 => "NOT_FOUND",
        /// The daemon failed; the sentence says at what.
        Internal = 4 => "INTERNAL",
        /// The resume token is unknown; a fresh session follows.
        ResumeTooOld = 5 => "RESUME_TOO_OLD",
        /// Another connection took this one's place.
        DuplicateConnection = 6 => "DUPLICATE_CONNECTION",
        /// The answer did not come in the time the caller gave.
        Timeout = 7 => "TIMEOUT",

        /// The first frame was not HELLO.
        HandshakeRequired = 100 => "HANDSHAKE_REQUIRED",
        /// HELLO came a second time; the connection stays as it was.
        HelloTwice = 101 => "HELLO_TWICE",
        /// HELLO did not come in time.
        HelloLate = 102 => "HELLO_LATE",
        /// The frame is larger than the limit in force.
        FrameTooLarge = 103 => "FRAME_TOO_LARGE",
        /// The stream ended inside a frame.
        FrameTruncated = 104 => "FRAME_TRUNCATED",
        /// The payload is not a JSON envelope.
        BadJson = 105 => "BAD_JSON",
        /// The payload is not a binary envelope.
        BadBinary = 106 => "BAD_BINARY",
        /// The frame type is not known to this version.
        UnknownType = 107 => "UNKNOWN_TYPE",
        /// No protocol version is spoken by both sides.
        VersionGap = 108 => "VERSION_GAP",
        /// None of the encodings offered is known.
        UnknownEncoding = 109 => "UNKNOWN_ENCODING",
        /// The principal may not do this.
        Forbidden = 110 => "FORBIDDEN",
        /// The name has a primary connection already.
        NameTaken = 111 => "NAME_TAKEN",
        /// The name is not a legal one.
        BadName = 112 => "BAD_NAME",
        /// Nobody of that name is connected, spawned or known.
        NoSuchName = 113 => "NO_SUCH_NAME",
        /// The recipient's inbox is full; nothing was accepted.
        QueueFull = 114 => "QUEUE_FULL",
        /// The body holds characters that must not be typed.
        Untypable = 115 => "UNTYPABLE",
        /// No session of that name.
        NoSuchSession = 116 => "NO_SUCH_SESSION",
        /// No such message for this caller.
        NoSuchMessage = 117 => "NO_SUCH_MESSAGE",
        /// The journal cannot take writes now; nothing was accepted.
        JournalUnavailable = 118 => "JOURNAL_UNAVAILABLE",
        /// The daemon is going down.
        ShuttingDown = 119 => "SHUTTING_DOWN",
        /// A limit of the principal is reached.
        LimitExceeded = 120 => "LIMIT_EXCEEDED",
        /// The client stopped reading and was cut off.
        SlowConsumer = 121 => "SLOW_CONSUMER",
        /// The client stopped answering PING and was cut off.
        HeartbeatLost = 122 => "HEARTBEAT_LOST",
        /// Someone else claimed or took the message.
        Claimed = 123 => "CLAIMED",
        /// A blocking send's correlation id is missing or in use.
        BadCorrelation = 124 => "BAD_CORRELATION",
        /// The harness cannot take this now, and the sender did not want to wait.
        NotReady = 125 => "NOT_READY",
        /// The harness, route or mount is not known or not usable.
        BadRoute = 126 => "BAD_ROUTE",
        /// The credential is not known or cannot be used.
        BadCredential = 127 => "BAD_CREDENTIAL",
        /// The message's time to live ran out.
        Expired = 128 => "EXPIRED",
    }
}
