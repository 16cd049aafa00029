"""All that knows HTTP or a Lambda event."""
