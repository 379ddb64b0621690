//! The scenes of the upgrade matrix with this build in both roles; `.ci/upgrade-matrix` plays them with an earlier one.

use posthouse_tests::upgrade::{Build, Scene, play};

fn with_itself(scene: Scene) {
    let build = Build::present();
    play(scene, &build, &build).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn a_client_speaks_with_the_daemon() {
    with_itself(Scene::Clients);
}

#[test]
fn a_daemon_takes_over_from_one_that_was_killed() {
    with_itself(Scene::Adoption);
}

#[test]
fn a_daemon_runs_an_installed_program_in_its_own_place() {
    with_itself(Scene::InPlace);
}
