//! Everything that talks to an engine.
