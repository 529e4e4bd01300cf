"""What the fuzzer does not know by itself."""

import schemathesis

# Browsers report in JSON under a type of its own.
schemathesis.serializer.alias("application/csp-report", "application/json")
