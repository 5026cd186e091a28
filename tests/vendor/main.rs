//! What a POS vendor does with the sandbox, with the real programs.

mod certify;
