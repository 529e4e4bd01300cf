"""What the fuzzer does not know by itself."""

import schemathesis

# Browsers report in JSON under a type of its own.
schemathesis.serializer.alias("application/csp-report", "application/json")

# An archive is bytes, whatever they are.
schemathesis.serializer.alias("application/zip", "application/octet-stream")
