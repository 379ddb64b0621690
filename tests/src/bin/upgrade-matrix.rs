//! The upgrade matrix as a command: `upgrade-matrix DIR`, where DIR has the programs of an earlier build. Prints a line
//! for each scene and direction and ends with 1 if one was not as promised.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use posthouse_tests::upgrade::{Build, Scene, play};
use posthouse_tests::world::build_programs;

fn main() -> ExitCode {
    let Some(dir) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!(
            "usage: upgrade-matrix DIR, where DIR has an earlier build's posthouse, posthoused and posthouse-holder"
        );
        return ExitCode::from(2);
    };
    if let Err(why) = build_programs() {
        eprintln!("failed to build the programs: {why}");
        return ExitCode::FAILURE;
    }
    let (old, new) = match Build::previous(dir) {
        Ok(old) => (old, Build::present()),
        Err(missing) => {
            eprintln!("failed to find an earlier build: there is no {}", missing.display());
            return ExitCode::from(2);
        }
    };
    let mut all_well = true;
    for scene in Scene::ALL {
        for (from, to) in [(&old, &new), (&new, &old)] {
            let begun = Instant::now();
            let outcome = play(scene, from, to);
            all_well &= outcome.is_ok();
            let how = if outcome.is_ok() { "ok" } else { "FAILED" };
            println!("{:<52} {how:<6} {:>5.1} s", scene.title(from, to), begun.elapsed().as_secs_f64());
            if let Err(why) = outcome {
                println!("    {why}");
            }
        }
    }
    if all_well { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
