"""The endpoints of OAuth and the pages that users see on the way."""
