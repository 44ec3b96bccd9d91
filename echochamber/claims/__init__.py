"""Claims as declarations, judged from small tables alone.

    study folder --collect--> tables --a claim's measure--> evidence --judge--> verdict --> ledger

A claim's file says what is compared and what decides; nothing else does. Choices that the
criteria left open are part of the declaration and listed in docs/claims.md.
"""
