//! The tests of this crate that need nothing but its public face, as one program.

#[cfg(test)]
mod mail;
#[cfg(test)]
#[expect(
    clippy::arithmetic_side_effects,
    reason = "instants and dates of a few years, far from the ends of the calendar"
)]
mod rules_oracle;
