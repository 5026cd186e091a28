use crate::{Result,till::Till,output::{Output,Report},failure::Exit,cli::Probe}; pub fn run(_t:&Till,_b:&Probe,_o:Output)->Result<Report>{Ok(Report::silent(Exit::Fine))}
