"""The edge: everything that knows HTTP or a Lambda event."""
