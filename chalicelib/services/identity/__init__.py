"""Who a caller is: authentication, sessions, tokens, OAuth."""
