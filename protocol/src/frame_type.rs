//! Every frame type, by number and by word.

crate::codes! {
    /// What a frame is. Numbers below 100 have the words of Agent Relay 2.x; the others are Posthouse's own.
    pub enum FrameType {
        /// First frame of a client.
        Hello = 1 => "HELLO",
        /// The daemon's answer to HELLO.
        Welcome = 2 => "WELCOME",
        /// A message for a name or for everyone.
        Send = 3 => "SEND",
        /// A message handed to a client.
        Deliver = 4 => "DELIVER",
        /// A client took a delivery, or answers a blocking send.
        Ack = 5 => "ACK",
        /// A client refuses a delivery.
        Nack = 6 => "NACK",
        /// The daemon asks a client that offered it to slow down; the frame named was not accepted.
        Busy = 7 => "BUSY",
        /// Heartbeat of the daemon.
        Ping = 8 => "PING",
        /// Answer to PING.
        Pong = 9 => "PONG",
        /// A refusal or fault with a code, a sentence and whether the connection ends.
        Error = 10 => "ERROR",
        /// The sender is about to close.
        Bye = 11 => "BYE",
        /// Ask for broadcasts of a topic.
        Subscribe = 12 => "SUBSCRIBE",
        /// Stop them.
        Unsubscribe = 13 => "UNSUBSCRIBE",
        /// Ask for copies of another agent's messages.
        ShadowBind = 14 => "SHADOW_BIND",
        /// Stop them.
        ShadowUnbind = 15 => "SHADOW_UNBIND",
        /// A line for the log.
        Log = 16 => "LOG",
        /// Become a member of a channel; also tells members of it.
        ChannelJoin = 17 => "CHANNEL_JOIN",
        /// Leave a channel; also tells members of it.
        ChannelLeave = 18 => "CHANNEL_LEAVE",
        /// A message for the members of a channel.
        ChannelMessage = 19 => "CHANNEL_MESSAGE",
        /// Start a session.
        Spawn = 20 => "SPAWN",
        /// Answer to SPAWN.
        SpawnResult = 21 => "SPAWN_RESULT",
        /// End a session.
        Release = 22 => "RELEASE",
        /// Answer to RELEASE.
        ReleaseResult = 23 => "RELEASE_RESULT",
        /// A name became reachable.
        AgentReady = 24 => "AGENT_READY",
        /// Raw keys for a session.
        SendInput = 25 => "SEND_INPUT",
        /// Answer to SEND_INPUT.
        SendInputResult = 26 => "SEND_INPUT_RESULT",
        /// Sessions in the words of Agent Relay.
        ListWorkers = 27 => "LIST_WORKERS",
        /// Answer to LIST_WORKERS.
        ListWorkersResult = 28 => "LIST_WORKERS_RESULT",
        /// How the daemon is.
        Status = 29 => "STATUS",
        /// Answer to STATUS.
        StatusResponse = 30 => "STATUS_RESPONSE",
        /// Messages kept for a name.
        Inbox = 31 => "INBOX",
        /// Answer to INBOX.
        InboxResponse = 32 => "INBOX_RESPONSE",
        /// Messages by sender, recipient, thread or time.
        MessagesQuery = 33 => "MESSAGES_QUERY",
        /// Answer to MESSAGES_QUERY.
        MessagesResponse = 34 => "MESSAGES_RESPONSE",
        /// Every known name.
        ListAgents = 35 => "LIST_AGENTS",
        /// Answer to LIST_AGENTS.
        ListAgentsResponse = 36 => "LIST_AGENTS_RESPONSE",
        /// Every reachable name.
        ListConnectedAgents = 37 => "LIST_CONNECTED_AGENTS",
        /// Answer to LIST_CONNECTED_AGENTS.
        ListConnectedAgentsResponse = 38 => "LIST_CONNECTED_AGENTS_RESPONSE",
        /// Forget an absent name.
        RemoveAgent = 39 => "REMOVE_AGENT",
        /// Answer to REMOVE_AGENT.
        RemoveAgentResponse = 40 => "REMOVE_AGENT_RESPONSE",
        /// Crashes and alerts.
        Health = 41 => "HEALTH",
        /// Answer to HEALTH.
        HealthResponse = 42 => "HEALTH_RESPONSE",
        /// Memory and processor use.
        Metrics = 43 => "METRICS",
        /// Answer to METRICS.
        MetricsResponse = 44 => "METRICS_RESPONSE",

        /// Progress of one message for one recipient.
        Receipt = 100 => "RECEIPT",
        /// Receipts of one message, asked for later.
        Receipts = 101 => "RECEIPTS",
        /// Answer to RECEIPTS.
        ReceiptsResponse = 102 => "RECEIPTS_RESPONSE",
        /// Take one queued message of the own name, exclusively.
        Claim = 103 => "CLAIM",
        /// Answer to CLAIM.
        ClaimResult = 104 => "CLAIM_RESULT",
        /// Become the delivery path of a name without a primary.
        Lease = 105 => "LEASE",
        /// Answer to LEASE.
        LeaseResult = 106 => "LEASE_RESULT",
        /// Sessions with everything known of them.
        ListSessions = 107 => "LIST_SESSIONS",
        /// Answer to LIST_SESSIONS.
        ListSessionsResponse = 108 => "LIST_SESSIONS_RESPONSE",
        /// The current screen of a session.
        Screen = 109 => "SCREEN",
        /// Answer to SCREEN.
        ScreenResponse = 110 => "SCREEN_RESPONSE",
        /// Raw output kept for a session.
        Logs = 111 => "LOGS",
        /// Answer to LOGS.
        LogsResponse = 112 => "LOGS_RESPONSE",
        /// Events from a cursor on.
        Events = 113 => "EVENTS",
        /// Answer to EVENTS.
        EventsResponse = 114 => "EVENTS_RESPONSE",
        /// One event, pushed to a follower.
        Event = 115 => "EVENT",
        /// View a session's terminal.
        Attach = 116 => "ATTACH",
        /// Answer to ATTACH.
        AttachResponse = 117 => "ATTACH_RESPONSE",
        /// Terminal bytes for a viewer.
        Output = 118 => "OUTPUT",
        /// Terminal bytes from a viewer.
        Input = 119 => "INPUT",
        /// A viewer's window size.
        Resize = 120 => "RESIZE",
        /// Stop viewing; also tells a viewer that the view ended.
        Detach = 121 => "DETACH",
        /// What a viewer's status line should say.
        Notice = 122 => "NOTICE",
        /// Read or change credentials.
        Credential = 123 => "CREDENTIAL",
        /// Answer to CREDENTIAL.
        CredentialResponse = 124 => "CREDENTIAL_RESPONSE",
        /// Why a session runs where it runs.
        RouteExplain = 125 => "ROUTE_EXPLAIN",
        /// Answer to ROUTE_EXPLAIN.
        RouteExplainResponse = 126 => "ROUTE_EXPLAIN_RESPONSE",
        /// End the daemon.
        Shutdown = 127 => "SHUTDOWN",
        /// Answer to SHUTDOWN.
        ShutdownResponse = 128 => "SHUTDOWN_RESPONSE",
        /// Look for what is wrong on this host.
        Diagnose = 129 => "DIAGNOSE",
        /// Answer to DIAGNOSE.
        DiagnoseResponse = 130 => "DIAGNOSE_RESPONSE",
        /// What was said in a session's conversation.
        Conversation = 131 => "CONVERSATION",
        /// Answer to CONVERSATION.
        ConversationResponse = 132 => "CONVERSATION_RESPONSE",
        /// Stop the turn that a session is in.
        Interrupt = 133 => "INTERRUPT",
        /// Answer to INTERRUPT.
        InterruptResponse = 134 => "INTERRUPT_RESPONSE",
        /// What became of a one-shot task.
        Outcome = 135 => "OUTCOME",
        /// Answer to OUTCOME.
        OutcomeResponse = 136 => "OUTCOME_RESPONSE",
        /// Hand a key out.
        Token = 139 => "TOKEN",
        /// Answer to TOKEN.
        TokenResponse = 140 => "TOKEN_RESPONSE",
        /// Read or change routes that have names.
        Route = 141 => "ROUTE",
        /// Answer to ROUTE.
        RouteResponse = 142 => "ROUTE_RESPONSE",
        /// Failures that no rule knew.
        Failures = 143 => "FAILURES",
        /// Answer to FAILURES.
        FailuresResponse = 144 => "FAILURES_RESPONSE",
    }
}
