//! The MCP bridge over HTTP, for test suites that know no other way: prints its address, then answers for ever.

use std::ffi::OsString;

use clap::Parser;
use posthouse_tests::front::Front;

/// Streamable HTTP on loopback before an MCP server on standard input and output.
#[derive(Parser)]
struct Args {
    /// Port; 0 takes any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// The server to start for each session or request, such as `posthouse mcp`.
    #[arg(last = true, required = true)]
    server: Vec<OsString>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let mut server = args.server.into_iter();
    let program = server.next().ok_or("no server is named")?;
    let front = Front::bind(args.port, program, server.collect()).await?;
    println!("{}", front.url());
    front.serve().await;
    Ok(())
}
