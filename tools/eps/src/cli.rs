//! The command line.

use clap::{Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

/// Shows, checks and repairs what the Point Shop library of a till has recorded.
///
/// Exit codes: 0 fine, 1 something was found, 2 usage, 3 network, 4 credentials, 5 journal,
/// 6 manual review.
#[derive(Debug, Parser)]
#[command(name = "eps", version)]
pub struct Options {
    /// The till's configuration, the JSON that its POS gives to eps_client_open. A key that it
    /// lacks comes from the environment's ENGAGE_API_KEY
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Print JSON
    #[arg(long, global = true)]
    pub json: bool,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check everything that a sale needs, and say who mends what
    Doctor {
        /// The longest wait, in ms
        #[arg(long, value_name = "MS", default_value_t = 10_000)]
        wait_ms: u64,
        /// Only the checks that need no network
        #[arg(long)]
        offline: bool,
    },
    /// List operations: by default those that are pending or not acknowledged
    List(List),
    /// Show one operation with its time line
    Show {
        /// The operation id
        id: String,
    },
    /// Query the outcome of pending operations now
    Resolve {
        /// The operation id [default: every pending operation]
        id: Option<String>,
        /// The longest wait, in ms
        #[arg(long, value_name = "MS", default_value_t = 10_000)]
        wait_ms: u64,
    },
    /// Store a person's decision about an operation in manual review
    Review(Review),
    /// Show a member's purchases: Engage's beside the journal's
    History {
        /// The contact id
        contact: String,
    },
    /// Show a member's rewards: Engage's beside the journal's
    Rewards {
        /// The contact id
        contact: String,
    },
    /// Write every operation as JSON, for `engage-sandbox judge`
    Export {
        /// The file [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Copy the journal into a new file while it is in use
    Backup {
        /// The new file
        path: PathBuf,
    },
    /// Check or compact the journal's files
    Journal {
        #[command(subcommand)]
        command: JournalCommand,
    },
    /// Count what the journal holds
    Stats {
        /// Print OpenMetrics text
        #[arg(long)]
        metrics: bool,
    },
    /// Print each change of an operation as it happens, also another process's
    Watch(Watch),
    /// Explain the codes of the library
    Codes {
        /// A number or a name [default: all]
        #[arg(allow_hyphen_values = true)]
        code: Option<String>,
    },
    /// Pack what support needs into one file, without key, logins and contact ids
    Bundle(Bundle),
    /// Find out what a tenant does differently from what the library assumes
    Probe(Probe),
    /// Simulate how the tills on one key behave after an outage
    SimulateFleet(Fleet),
    /// Print a completion script
    Completions {
        /// The shell
        shell: Shell,
    },
}

#[derive(Debug, Clone, Copy, Args)]
pub struct List {
    /// Only pending operations
    #[arg(long, group = "which")]
    pub pending: bool,
    /// Only operations in manual review
    #[arg(long, group = "which")]
    pub review: bool,
    /// Every operation of the journal
    #[arg(long, group = "which")]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct Review {
    /// The operation id
    pub id: String,
    /// Engage has the purchase or the redeem
    #[arg(long, group = "resolution")]
    pub completed: bool,
    /// Nothing was deducted, or the reward was not redeemed
    #[arg(long, group = "resolution", required_unless_present = "completed")]
    pub declined: bool,
    /// Who decides
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub note: String,
}

#[derive(Debug, Clone, Copy, Subcommand)]
pub enum JournalCommand {
    /// Prove that no record is missing or damaged; changes nothing
    Check,
    /// Give the space of deleted records back to the disk
    Compact,
}

#[derive(Debug, Args)]
pub struct Watch {
    /// End after this many changes
    #[arg(long, value_name = "N")]
    pub count: Option<u64>,
    /// How often the journal is read, in ms
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(u64).range(50..=60_000))]
    pub every_ms: u64,
}

#[derive(Debug, Args)]
pub struct Bundle {
    /// The new file
    #[arg(short, long, value_name = "FILE.zip")]
    pub out: PathBuf,
    /// A log file of the till; its last lines are packed
    #[arg(long, value_name = "FILE")]
    pub log: Option<PathBuf>,
    /// Keep contact ids and references
    #[arg(long)]
    pub with_ids: bool,
}

#[derive(Debug, Args)]
pub struct Probe {
    /// The contact id of a test member
    #[arg(long = "as", value_name = "CONTACT")]
    pub contact: String,
    /// Buy this item for the test member, after the reads
    #[arg(long, value_name = "ITEM")]
    pub buy: Option<String>,
    /// Redeem the reward of that purchase
    #[arg(long, requires = "buy")]
    pub redeem: bool,
    /// A name to try where the library's is wrong, as keyHeader=x-key, itemIdField=item or
    /// rewardsPath=/api/…{contactId}
    #[arg(long = "try", value_name = "KEY=VALUE", value_parser = guess)]
    pub guesses: Vec<(String, String)>,
    /// Spend without a question
    #[arg(long)]
    pub yes: bool,
    /// How long the history may take to show the purchase, in ms
    #[arg(long, value_name = "MS", default_value_t = 600_000)]
    pub history_wait_ms: u64,
}

fn guess(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key @ ("keyHeader" | "itemIdField" | "rewardsPath"), value)) => Ok((key.to_owned(), value.to_owned())),
        _ => Err("name keyHeader, itemIdField or rewardsPath, then = and the value".to_owned()),
    }
}

#[derive(Debug, Clone, Args)]
pub struct Fleet {
    /// Tills that start at the same moment
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    pub tills: usize,
    /// Pending purchases of each till
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub pending: usize,
    /// Requests a second above which Engage responds with 429
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub rate: u32,
    /// How long the outage goes on after the start, in s
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub outage_s: u64,
    /// A sale of each till every S seconds, for 15 minutes after the start; 0: none
    #[arg(long, value_name = "S", default_value_t = 0)]
    pub sale_every_s: u64,
    /// The values of startupJitterMs to compare
    #[arg(long, value_name = "MS", value_delimiter = ',', default_values_t = [0, 30_000, 300_000])]
    pub startup_jitter_ms: Vec<u64>,
    /// The seed of the random numbers
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// The file of the chart
    #[arg(long, value_name = "FILE.svg")]
    pub svg: Option<PathBuf>,
}

pub fn print_completions(shell: Shell) {
    clap_complete::generate(shell, &mut Options::command(), "eps", &mut std::io::stdout());
}
