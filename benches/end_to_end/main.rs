//! Whole processes: the built binary over HTTP beside other ways to land the same pages. See `benches/README.md`.
//!
//! The driver starts itself again in roles: `serve` and `proxy` are the API, `measure` runs one command and reports
//! what it cost, so that neither their CPU nor their memory is counted.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a bench fails by panicking, and prints its table"
)]

mod against;
mod api;
mod child;
mod echo;
mod extract;
mod growth;
mod latency;
#[expect(dead_code, reason = "what a page sums up to is for those who check readers")]
#[path = "../payments/mod.rs"]
mod payments;
mod places;
mod proxy;
mod start;
mod table;
mod template;
mod webhooks;

use std::process::ExitCode;

const MEASURES: [&str; 6] = ["small", "large", "latency", "growth", "start", "webhooks"];
const USAGE: &str =
    "cargo bench --bench end_to_end -- [small] [large] [latency] [growth] [start] [webhooks] [--runs N]
without a name: all of them";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some((role, rest)) = arguments
        .split_first()
        .and_then(|(first, rest)| first.strip_prefix("role:").map(|role| (role.to_owned(), rest)))
    {
        play(&role, rest);
        return ExitCode::SUCCESS;
    }
    // `cargo test --benches` and the like only want to know that it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("end_to_end takes minutes: {USAGE}");
        return ExitCode::SUCCESS;
    }
    match wanted(&arguments) {
        Some((measures, runs)) => {
            run(&measures, runs);
            ExitCode::SUCCESS
        }
        None => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn play(role: &str, rest: &[String]) {
    match role {
        "serve" => api::serve(rest),
        "proxy" => proxy::serve(rest),
        "echo" => echo::serve(rest),
        "measure" => child::measure(rest),
        _ => eprintln!("no role `{role}`"),
    }
}

/// The measures and the runs of each, by the command line.
fn wanted(arguments: &[String]) -> Option<(Vec<&'static str>, usize)> {
    let (mut measures, mut runs) = (Vec::new(), 3);
    let mut arguments = arguments.iter().filter(|argument| *argument != "--bench");
    while let Some(argument) = arguments.next() {
        if argument == "--runs" {
            runs = arguments.next()?.parse().ok().filter(|runs| *runs > 0)?;
        } else {
            measures.push(*MEASURES.iter().find(|measure| *measure == argument)?);
        }
    }
    if measures.is_empty() {
        measures = MEASURES.to_vec();
    }
    Some((measures, runs))
}

fn run(measures: &[&str], runs: usize) {
    let mut table = table::Table::default();
    for measure in measures {
        eprintln!("== {measure}, {runs} runs");
        match *measure {
            "small" => against::small(&mut table, runs),
            "large" => against::large(&mut table, runs),
            "latency" => latency::measure(&mut table, runs),
            "growth" => growth::measure(&mut table, runs),
            "start" => start::measure(&mut table),
            _ => webhooks::measure(&mut table, runs),
        }
    }
    table.print();
}
