"""The storage pool as its commands see it. If their arguments change, this table changes and nothing else."""
import json

COMMANDS = {
    "version": "--version",
    "create": "pool create {pool}",
    "protect": "pool protect {pool} {name} {image} --no-verify",
    "protect zstd": "pool protect {pool} {name} {image} --no-verify --zstd 1",
    "protect verified": "pool protect {pool} {name} {image}",
    "backup": "pool backup {pool} {name} --changes {ranges}",
    "backup by scan": "pool backup {pool} {name} --scan",
    "backup unchanged": "pool backup {pool} {name} --no-changes",
    "points": "pool points {pool} {name} --json",
    "restore": "pool restore {pool} {name} --point {point} --to {target} --format raw",
    "scrub": "pool scrub {pool}",
    "check": "pool check {pool}",
    "consistency check": "pool consistency-check {pool} {name}",
    "prune": "pool prune {pool} {name} --point {point}",
    "stat": "pool stat {pool} --json",
}


def command(program, what, **values):
    """The words of a command; a value with blanks stays one word."""
    return [program] + [word.format(**values) for word in COMMANDS[what].split()]


def point_numbers(text):
    """The numbers of the recovery points in the output of `points`, the oldest first."""
    found = json.loads(text)
    if isinstance(found, dict):
        found = next(value for value in found.values() if isinstance(value, list))
    name = next(name for name in ("point", "number", "epoch", "id") if name in found[0])
    return sorted(item[name] for item in found)


def is_metadata(name):
    """Whether a file of a pool's folder describes data instead of holding it: the map and what SQLite puts beside it."""
    return name.startswith("map") or name.endswith((".db", "-wal", "-shm", "-journal"))
