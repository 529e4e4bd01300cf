//! What the browser may call about signing in.
