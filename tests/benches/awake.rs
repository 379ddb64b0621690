//! Keeps the processors from sleeping while something short is measured beside something rare: a virtual machine's take so
//! long to wake up that nothing else would be seen of a figure's slowest hundredth.

use std::process::{Child, Command, Stdio};

/// A process for each processor that has nothing to do, and does it whenever nobody else wants to run.
pub struct Awake(Vec<Child>);

impl Awake {
    pub fn new() -> Self {
        let count = std::thread::available_parallelism().map_or(1, usize::from);
        let idler = || {
            let mut command = Command::new("nice");
            command.args(["-n", "19"]).arg(std::env::current_exe().expect("this program")).arg("idle");
            // It ends with its input, and so with this program however that ends.
            command.stdin(Stdio::piped()).spawn().expect("nice")
        };
        Self((0..count).map(|_| idler()).collect())
    }
}

impl Drop for Awake {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Such a process: `idle`.
pub fn idle() {
    std::thread::spawn(|| {
        loop {
            std::hint::spin_loop();
        }
    });
    let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
}
