"""Several drafts into one answer: weighted votes, which drafts a consensus keeps, and where that pays.

`votes`, `kept` and `policy` are what a running service needs; `learn` makes policies of recorded drafts.
"""

from routers.fusion.votes import Ballots, Decided, ballots_of, decide, winners

__all__ = ["Ballots", "Decided", "ballots_of", "decide", "winners"]
