use crate::{Result,output::Report,failure::Exit,cli::Fleet}; pub fn run(_t:Option<&std::path::Path>,_b:&Fleet)->Result<Report>{Ok(Report::silent(Exit::Fine))}
