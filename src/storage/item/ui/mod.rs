//! Pages that follow from a description.
