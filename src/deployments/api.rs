//! What the browser may call about engines, containers and images.
