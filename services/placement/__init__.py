"""Placement: who sits where. It owns rounds (putaran penempatan), lots' seats, offers, placements, and the matching engine.

Hears: registry.events and .internal (people, decrees, eligibility, consent, credentials, rolls), vendor.events (vendors,
contracts, reductions, work agreements, capacity), notify.internal (answers, terms that passed). Emits: `round.*`,
`lot.seats_released`, `placement.*` (public), `offer.*`, `preference.given` (internal), `placement.state` (compacted).

Money never enters: lots come with covered seats. What may happen to an offer, a placement or a round is one table in
`domain/lifecycle.py`. The matching runs in a process of its own (`jobs/pool.py`); no other process imports its solver.
"""
