//! The tests of this crate that need nothing but its public face, as one program.

#[cfg(test)]
mod rules_oracle;
