"""From a study folder to tables, figures and one page; no torch, nothing is graded here.

Data flows one way, and no module imports one of a later step (checked by import-linter):

1. `stored_files`, `study_folder`: read what a study has on disk; name what is missing or damaged.
2. `averages`, `number_text`: rows of several seeds become one; how numbers are written.
3. `runs`: base and RL checkpoints of one seed. `run_inputs`: the tables of each run, loaded once.
4. `page_table`: cells, links to completions and tables of the page.
5. `questions`: one file per question, from a tidy table with intervals to its page table.
6. `findings`, `summary`, `headline`, `completions`: what the page, `summary.json` and figures consist of.
7. `page_data`, `page_ledger`, `plots`, `study_tables`, `arm_outcomes`: data, figures, small tables; then
   the words of `arm_words` and `page_words`.
8. `report`, `live_report`: the page itself.
"""
