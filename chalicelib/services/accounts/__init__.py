"""Users, organizations, teams, robots, and what belongs to a namespace."""
