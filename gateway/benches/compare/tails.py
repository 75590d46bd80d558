"""What the rounds of `latency` say of the slowest requests, and how much of it is noise."""

from statistics import median

# Whose tails the gateway's are to be no longer than: those of the better of the two.
OTHERS = ["nginx_lua", "haproxy"]
COMPARED = "70"


def better(results, key):
    """The one of the others whose quantile `key` is the shorter."""
    found = results["latency"]["loads"][COMPARED]
    return min((found[name] for name in OTHERS), key=lambda peer: median(peer[key]))


def against(key):
    """The gateway's quantile as a multiple of the better one's: the median over the rounds."""
    return lambda results: median(_ratios(results, key))


def _ratios(results, key):
    gateway = results["latency"]["loads"][COMPARED]["gateway"]
    return [mine / its for mine, its in zip(gateway[key], better(results, key)[key])]


def noise(key):
    """By how much the better one differs from itself, from one round to the next: in the middle."""
    def figure(results):
        rounds = better(results, key)[key]
        return median([max(pair) / min(pair) for pair in zip(rounds, rounds[1:])] or [1]) - 1
    return figure


def told(key):
    """Who the better one was, and how far the rounds are apart."""
    def words(results):
        if not results.get("latency"):
            return ""
        ratios = _ratios(results, key)
        return f" ({better(results, key)['title']}; rounds: {min(ratios):.2f}–{max(ratios):.2f}×)"
    return words
