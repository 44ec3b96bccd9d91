"""From a study's artifacts to the small tables that claims are judged from."""
