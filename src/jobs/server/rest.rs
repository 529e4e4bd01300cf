//! Jobs over the REST API.
