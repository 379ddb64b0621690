//! `posthouse exec`: one task, its answer, and an exit code that says what became of it.

use posthouse_tests::world::{Ran, World, signal};

/// A program that prints as harnesses do.
const TALKER: &str = r#"
name = "talker"

[one_shot.launch]
program = "sh"
args = ["-c", """
case "$1" in
    hang*) echo '{"type":"started"}'; exec sleep 1000 ;;
    fail*) echo 'no frame at all'; exit 3 ;;
    cut*) printf '{"type":"answer","text":"'; head -c 300000 /dev/zero | tr '\\0' x; printf '"}\n' ;;
    *) printf '{"type":"answer","text":"first"}\n{"type":"answer","text":"you said %s"}\n' "$1" ;;
esac
""", "talker"]
prompt = ["{prompt}"]

[[one_shot.answer]]
when = { type = "answer" }
at = "text"
"#;

fn world() -> World {
    let world = World::new();
    world.define_harness("talker", TALKER);
    let mut world = world;
    world.start();
    world
}

fn exec(world: &World, args: &[&str]) -> Ran {
    world.cli(&[&["exec", "--harness", "talker"], args].concat())
}

fn sessions(world: &World) -> usize {
    world.cli(&["ls", "--json"]).ok().json()["sessions"].as_array().unwrap().len()
}

#[test]
fn the_answer_is_all_that_is_printed_and_the_session_is_gone() {
    let world = world();
    assert_eq!(exec(&world, &["hello"]).ok().out, "you said hello\n");
    let from_input = world.cli_with_input(&["exec", "--harness", "talker", "-"], b"from a pipe");
    assert_eq!(from_input.ok().out, "you said from a pipe\n");
    assert_eq!(sessions(&world), 0);

    let mut told = exec(&world, &["--json", "--name", "task", "hello"]).ok().json();
    assert_eq!(told["how"].take(), "exit code 0");
    insta::assert_json_snapshot!(told, @r#"
    {
      "answer": "you said hello",
      "cut": false,
      "done": true,
      "how": null,
      "mount": "talker",
      "name": "task",
      "state": "exited"
    }
    "#);
}

#[test]
fn a_task_that_fails_says_how() {
    let world = world();
    let failed = exec(&world, &["--name", "task", "--keep", "fail now"]);
    assert_eq!((failed.code, failed.out.as_str()), (1, ""), "{failed:?}");
    assert_eq!(failed.err, "posthouse: failed to finish task: its harness failed (exit code 3)\n");
    let kept = world.session("task");
    assert_eq!(kept["state"], "exited", "it was to be kept: {kept}");
    let screen = world.cli(&["screen", "task"]).ok().out;
    assert!(screen.contains("no frame at all"), "{screen}");
}

#[test]
fn an_answer_that_is_too_long_is_cut_and_said_to_be() {
    let world = world();
    let cut = exec(&world, &["cut it"]).ok();
    assert_eq!(cut.out.trim_end().len(), 256 << 10);
    assert!(cut.err.contains("it was cut off"), "{}", cut.err);
}

#[test]
fn what_can_not_be_a_task_is_refused() {
    let world = world();
    for (args, code, words) in [
        (&["exec", "hello"][..], 2, "choose a harness"),
        (&["exec", "--harness", "talker", " "], 1, "it has no prompt"),
        (&["exec", "--harness", "generic", "hello"], 1, "generic does none"),
        (&["exec", "--harness", "nobody", "hello"], 1, "nobody"),
        (&["exec", "--harness", "talker", "--timeout", "soon", "hello"], 2, "soon"),
    ] {
        let refused = world.cli(args);
        assert_eq!(refused.code, code, "{refused:?}");
        assert!(refused.err.contains(words), "{refused:?}");
    }
    assert_eq!(sessions(&world), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_task_that_takes_too_long_or_is_interrupted_leaves_nothing_behind() {
    let world = world();
    let late = exec(&world, &["--timeout", "300ms", "hang on"]);
    assert_eq!(late.code, 7, "{late:?}");
    assert_eq!(sessions(&world), 0);

    let mut watch = world.watch().await;
    let task = world.cli_in_background(&["exec", "--harness", "talker", "--name", "task", "hang on"]);
    watch.event("session.started", "task", &[]).await;
    // Only once it listens to signals; until then it would end at once, and be none the worse.
    watch.event("session.state", "task", &["busy"]).await;
    let pid = task.pid();
    let ended = task.ended();
    signal(pid, nix::sys::signal::Signal::SIGINT);
    let ended = ended.await;
    assert_ne!(ended.code, 0, "{ended:?}");
    watch.event("session.released", "task", &[]).await;
    assert_eq!(sessions(&world), 0);
}
