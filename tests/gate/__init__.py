"""The gate: verdicts, faults, and what people see of them."""
