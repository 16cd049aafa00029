"""OAuth's endpoints and the few pages that people see on the way."""
