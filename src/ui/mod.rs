//! Components that know no domain.
