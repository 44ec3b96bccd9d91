"""`echochamber bench`: this project beside its peers on this machine, as ratios in one run."""
