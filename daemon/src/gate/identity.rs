//! Who a peer is: decided by its process's place among the living, and only then by what it claims.
//!
//! Agents run as the user, so a peer's uid says nothing about its rights. Its ancestry does: whatever lives below a
//! holder is that session's agent. This keeps honest programs apart; it is not a security boundary against a hostile
//! process of the same user.

use posthouse_protocol::handshake::{PrincipalKind, Role};
use posthouse_protocol::{ErrorCode, Hello, Name, Violation};

use crate::principal::{Kind, Principal};

/// Where a peer's process lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Whereabouts {
    /// Below no holder.
    Outside,
    /// In a session of this daemon.
    Session {
        /// Its name.
        session: String,
        /// The run.
        run: String,
        /// Rights beyond messages.
        allow: Vec<String>,
    },
    /// Below a holder whose run this daemon does not know (another daemon's, or one that was given up), or out of its
    /// sight.
    StrangeRun,
    /// The process that connected has ended; whoever uses its connection now is not known.
    Ended,
}

/// The principal behind a HELLO. Corrects the role of a session's own agent: its session is the delivery path of the
/// name, so the agent's own connections stand beside it.
pub(super) fn establish(
    hello: &mut Hello,
    uid: u32,
    whereabouts: Whereabouts,
) -> Result<Principal, Violation> {
    Name::parse(&hello.agent).map_err(|e| Violation::fatal(ErrorCode::BadName, e.to_string()))?;
    let claims_operator = hello.is_user() || hello.kind == Some(PrincipalKind::Operator);
    let kind = match whereabouts {
        Whereabouts::Outside if claims_operator => Kind::Operator,
        Whereabouts::Outside | Whereabouts::StrangeRun if hello.kind == Some(PrincipalKind::Observer) => {
            Kind::Observer
        }
        Whereabouts::Outside => Kind::Client,
        Whereabouts::Ended => {
            return Err(forbidden("the process that connected has ended, so nobody can say who this is"));
        }
        Whereabouts::StrangeRun if claims_operator => {
            let message = "this process runs inside a session, or where this daemon cannot see it, so it cannot be an operator";
            return Err(forbidden(message));
        }
        Whereabouts::StrangeRun => Kind::Client,
        Whereabouts::Session { session, .. } if claims_operator => {
            return Err(forbidden(format!(
                "this process runs inside session {session}, so it cannot be an operator"
            )));
        }
        Whereabouts::Session { session, .. } if session != hello.agent => {
            return Err(forbidden(format!(
                "this process runs inside session {session}, so it cannot be {}: say HELLO as {session}",
                hello.agent
            )));
        }
        Whereabouts::Session { session, run, allow } => {
            hello.role = Some(Role::Auxiliary);
            Kind::Agent { session, run, allow }
        }
    };
    Ok(Principal { uid, name: hello.agent.clone(), kind })
}

fn forbidden(message: impl Into<String>) -> Violation {
    Violation::fatal(ErrorCode::Forbidden, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inside() -> Whereabouts {
        Whereabouts::Session { session: "alice".into(), run: "r1".into(), allow: vec!["spawn".into()] }
    }

    fn hello(name: &str, kind: Option<PrincipalKind>, entity: Option<&str>) -> Hello {
        Hello { kind, entity_type: entity.map(str::to_owned), ..Hello::new(name) }
    }

    fn kind(mut hello: Hello, whereabouts: Whereabouts) -> Result<Kind, ErrorCode> {
        establish(&mut hello, 1000, whereabouts).map(|p| p.kind).map_err(|v| v.code)
    }

    #[test]
    fn outside_of_sessions_the_claim_counts() {
        let outside = || Whereabouts::Outside;
        assert_eq!(kind(hello("x", None, None), outside()), Ok(Kind::Client));
        assert_eq!(kind(hello("x", Some(PrincipalKind::Agent), None), outside()), Ok(Kind::Client));
        assert_eq!(kind(hello("x", Some(PrincipalKind::Unknown(9)), None), outside()), Ok(Kind::Client));
        assert_eq!(kind(hello("x", Some(PrincipalKind::Operator), None), outside()), Ok(Kind::Operator));
        assert_eq!(kind(hello("x", None, Some("user")), outside()), Ok(Kind::Operator));
        assert_eq!(kind(hello("x", Some(PrincipalKind::Observer), None), outside()), Ok(Kind::Observer));
    }

    #[test]
    fn inside_a_session_only_its_own_agent_is_possible() {
        for claim in [hello("alice", Some(PrincipalKind::Operator), None), hello("alice", None, Some("user"))]
        {
            assert_eq!(kind(claim.clone(), inside()), Err(ErrorCode::Forbidden));
            assert_eq!(kind(claim, Whereabouts::StrangeRun), Err(ErrorCode::Forbidden));
        }
        assert_eq!(kind(hello("bob", None, None), inside()), Err(ErrorCode::Forbidden));
        for claimed in [None, Some(PrincipalKind::Agent), Some(PrincipalKind::Observer)] {
            let mut own = hello("alice", claimed, None);
            let principal = establish(&mut own, 1000, inside()).unwrap();
            assert_eq!(principal.session(), Some("alice"));
            assert_eq!(own.role, Some(Role::Auxiliary));
        }
    }

    #[test]
    fn the_refusal_names_the_session() {
        let refused = establish(&mut hello("bob", None, None), 1000, inside()).unwrap_err();
        assert!(refused.fatal && refused.message.contains("session alice"), "{refused}");
    }

    #[test]
    fn a_connection_of_a_dead_process_is_nobodys() {
        assert_eq!(kind(hello("x", None, None), Whereabouts::Ended), Err(ErrorCode::Forbidden));
    }

    #[test]
    fn names_are_checked_first() {
        assert_eq!(kind(hello("a/b", None, None), Whereabouts::Outside), Err(ErrorCode::BadName));
    }
}
