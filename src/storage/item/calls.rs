//! Server functions over all entities, and typed calls of them.
