"""One analysis question per file: a tidy table with intervals, then its presentation on the page.

Every estimate has the columns `value`, `low`, `high` (95%; null where not estimable). A table function
takes what one run offers; `estimates.over_seeds` joins several seeds with Student's t.
"""
