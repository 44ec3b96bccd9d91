"""One analysis per file: tables of completions or problems in, one tidy table with intervals out.

Every estimate has the columns `value`, `low`, `high` (95%; null where not estimable). Each function
takes the tables of one run; `common.over_seeds` joins several seeds with Student's t.
"""
