//! What the browser may call about jobs.
