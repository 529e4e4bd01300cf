//! Pages of containers and images.
