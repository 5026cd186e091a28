//! `config_json`: the configuration is accepted, or the error is a configuration error. No file and
//! no network is touched.

use super::check_error;
use engage_point_shop::{Code, Config};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match Config::parse(text) {
        Ok(config) => drop(format!("{config:?}")),
        Err(error) => {
            check_error(&error);
            assert_eq!(error.code(), Code::BadConfig);
        }
    }
}
