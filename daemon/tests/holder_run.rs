//! A run under its holder: it starts, says and hears things, ends, and what ended stays known.

mod support;

use posthoused::holder::link::{self, LinkError};
use posthoused::holder::run::Exit;
use posthoused::holder::script::{State, Step};
use posthoused::holder::wire::FailureCode;
use support::{Yard, operation, program};

fn bytes(text: &str) -> Step {
    Step::Bytes(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_shell_on_a_terminal_says_hears_and_exits() {
    let yard = Yard::new();
    let spec = yard.shell("stty size; echo run=$POSTHOUSE_RUN; read line; echo got:$line; exit 7");
    let mut held = yard.start(&spec).await;
    held.until_text("run=").await;
    let report = held.link.handle.write(operation(), vec![bytes("hello\n")]).await.unwrap();
    assert_eq!((report.state, report.steps_done), (State::Done, 1));
    held.until_gone().await;
    let text = held.text();
    assert!(text.contains("30 100"), "{text}");
    assert!(text.contains(&format!("run={}", spec.run)), "{text}");
    assert!(text.contains("got:hello"), "{text}");
    assert_eq!(held.exit, Some(Exit::Code(7)));
    held.link.handle.collect().await.unwrap();
    assert!(held.link.events.recv().await.is_none(), "nothing is lost when the run was collected");
    assert!(!spec.socket.exists());
}

#[tokio::test]
async fn a_missing_program_and_a_missing_directory_are_told_apart() {
    let yard = Yard::new();
    let spec = yard.command(&["no-such-program-anywhere"]);
    let error = link::spawn(&program(), &spec).await.unwrap_err();
    let LinkError::NotStarted { code, errno, text } = error else { panic!("{error}") };
    assert_eq!((code, errno), (FailureCode::Program, 2));
    assert_eq!(text, "execute no-such-program-anywhere: No such file or directory (os error 2)");
    assert!(!spec.socket.exists(), "nothing is left");

    let mut spec = yard.shell("true");
    spec.cwd = "/no/such/directory".into();
    let error = link::spawn(&program(), &spec).await.unwrap_err();
    let LinkError::NotStarted { code, text, .. } = error else { panic!("{error}") };
    assert_eq!(code, FailureCode::WorkingDirectory);
    assert!(text.contains("/no/such/directory"), "{text}");
}
