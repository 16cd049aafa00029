"""Jobs, which the clock or the table's stream calls: one module each."""
