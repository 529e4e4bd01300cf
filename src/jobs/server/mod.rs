//! Jobs on the server: the queue, the runner and their output.
