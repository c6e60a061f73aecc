"""Several drafts into one answer: weighted votes, which drafts a consensus keeps, and where that pays.

`extraction` and `votes` are what a running service votes by, and what `learn` replays recorded drafts by.
"""

from routers.fusion.votes import Ballots, Decided, ballots_of, decide, speakers, support, winners

__all__ = ["Ballots", "Decided", "ballots_of", "decide", "speakers", "support", "winners"]
