//! The browser's end of the event stream.
