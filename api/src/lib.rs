//! The doors, and the `plaudit` program.
