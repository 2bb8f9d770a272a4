"""Measures commands: wall and CPU time, peak memory, warm or cold, and puts what was found beside its floor and its bars."""
import atexit
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))


def build(package, product, *options):
    """The path of a product's release build."""
    command = ["swift", "build", "-c", "release", "--package-path", package, *options]
    subprocess.run(command + ["--product", product], check=True, stdout=sys.stderr)
    where = subprocess.run(command + ["--show-bin-path"], check=True, capture_output=True, text=True).stdout
    return os.path.join(where.strip(), product)


def allocated(path):
    """Bytes that a file or a folder takes, as du counts."""
    if not os.path.isdir(path):
        return os.stat(path).st_blocks * 512 if os.path.exists(path) else 0
    return sum(allocated(os.path.join(path, name)) for name in os.listdir(path))


def files(path):
    if not os.path.isdir(path):
        return [path]
    return [file for name in sorted(os.listdir(path)) for file in files(os.path.join(path, name))]


def remove(*paths):
    for path in paths:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path, ignore_errors=True)
        elif os.path.lexists(path):
            os.remove(path)


class Failed(Exception):
    """A command did not do what it should; the text says which and why."""


class Sample:
    """One timed command."""

    def __init__(self, wall, cpu, rss, output):
        self.wall, self.cpu, self.rss, self.output = wall, cpu, rss, output

    def plain(self):
        return {"wall": round(self.wall, 5), "cpu": round(self.cpu, 4), "rss_mib": round(self.rss / 2**20, 1)}


class Lab:
    """Folders, tools and the ways to run them."""

    def __init__(self, vmimage, disk, warm):
        self.vmimage, self.warm_size = vmimage, warm
        name = f"dpmsim-bench-{os.getpid()}"
        self.places = {"tmpfs": os.path.join("/dev/shm", name), "disk": os.path.join(disk, name)}
        self.log = os.path.join(self.places["disk"], "output")
        for folder in self.places.values():
            os.makedirs(folder)
        self.running = {}
        atexit.register(self.clear)
        # So that atexit runs: what is left in /dev/shm is memory nobody gets back.
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, lambda *_: sys.exit("interrupted"))

    def clear(self):
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        remove(*self.places.values())

    def start(self, command, environment=None):
        number = 0
        while os.path.exists(f"{self.log}{number}"):
            number += 1
        log = f"{self.log}{number}"
        with open(log, "w") as output:
            # A group of its own, so that what a shell started can be ended with it.
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment,
                                       start_new_session=True)
        process.command, process.log = command, log
        self.running[process.pid] = process
        return process

    def finish(self, process, begin, accept=(0,)):
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - begin
        del self.running[process.pid]
        code = process.returncode = os.waitstatus_to_exitcode(status)
        with open(process.log, errors="replace") as text:
            output = text.read()
        os.remove(process.log)
        if code not in accept:
            raise Failed(f"{' '.join(process.command)}: status {code}: {output.strip()[-400:]}")
        return Sample(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output)

    def run(self, *command, accept=(0,), environment=None):
        """Runs without preparation: for steps that are not measured, or whose caches were prepared otherwise."""
        begin = time.perf_counter()
        return self.finish(self.start(list(command), environment), begin, accept)

    def warm(self):
        """Touches free memory, so that what follows does not pay for the host that took it back."""
        subprocess.run([self.vmimage, "warm", self.warm_size], check=True, stdout=subprocess.DEVNULL)

    def timed(self, *command, accept=(0,), environment=None):
        self.warm()
        return self.run(*command, accept=accept, environment=environment)

    def together(self, *commands):
        """Starts all at once; the sample of them as one, with the sum of their memory."""
        self.warm()
        begin = time.perf_counter()
        running = [self.start(list(command)) for command in commands]
        samples = [self.finish(process, begin) for process in running]
        return Sample(max(s.wall for s in samples), sum(s.cpu for s in samples), sum(s.rss for s in samples), "")

    def chill(self, *paths):
        """Drops the files' pages from the cache; they are written out first, as a dirty page stays."""
        for file in (file for path in paths for file in files(path)):
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)

    def json(self, *command, accept=(0,)):
        """What one of vmimage's commands prints."""
        return json.loads(self.run(self.vmimage, *command, accept=accept).output)


def median(samples):
    return statistics.median(s.wall for s in samples)


def least(samples):
    """What else the machine does can only add."""
    return min(s.wall for s in samples)


def busy(ours, floor):
    """How many times the floor's CPU time: what a busy machine disturbs least. None if there is nothing to divide."""
    if not ours or not floor or not (theirs := statistics.median(s.cpu for s in floor)):
        return None
    return statistics.median(s.cpu for s in ours) / theirs


def seconds(value):
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms" if value >= 0.01 else f"{value * 1000:.1f} ms"


def described(samples):
    """Median (least, CPU, memory, number)."""
    if not samples:
        return "not measured"
    cpu = statistics.median(s.cpu for s in samples)
    memory = max(s.rss for s in samples) / 2**20
    rest = f"min {seconds(least(samples))}, cpu {seconds(cpu)}, {memory:.0f} MiB, n {len(samples)}"
    return f"{seconds(median(samples))} ({rest})"


def weather():
    """How busy the machine was: figures taken beside others' work are worth less."""
    return "load " + " ".join(f"{load:.1f}" for load in os.getloadavg())


class Report:
    """Rows of the table of goals: what was measured, its floor, the bars, and whether they were met."""

    def __init__(self):
        self.rows = []
        self.left_out = []
        self.problems = []

    def row(self, title, where, ours=(), floor=(), floor_name="", value=None, unit="x", sense=">=", good=None, moonshot=None,
            peers=None, note="", best=None):
        """`value` is what the bars are about, None if it could not be measured; `best` the same of the least times."""
        verdict = "no bar"
        if value is None and (good is not None or moonshot is not None or not ours):
            verdict = "not measured"
        elif good is not None or moonshot is not None:
            met = lambda bar: bar is not None and (value >= bar if sense == ">=" else value <= bar)
            verdict = "moonshot" if met(moonshot) else "good" if met(good) else "missed"
        row = {
            "row": title, "where": where, "ours": list(ours or ()), "floor": list(floor or ()), "floor_name": floor_name,
            "value": value, "best": best, "cpu": busy(ours, floor), "unit": unit, "sense": sense, "good": good, "moonshot": moonshot, "verdict": verdict,
            "peers": {name: samples for name, samples in (peers or {}).items() if samples}, "note": note,
        }
        self.rows.append(row)
        beside = f"; {floor_name} {described(floor)}" if floor else ""
        print(f"  {title} [{where}]: {self.valued(row)}, {verdict}{beside}", file=sys.stderr, flush=True)

    def speed(self, title, where, ours, floor, floor_name, good=None, moonshot=None, **more):
        """How many times the floor's speed."""
        value = median(floor) / median(ours) if ours and floor else None
        best = least(floor) / least(ours) if busy(ours, floor) else None
        self.row(title, where, ours, floor, floor_name, value, "x speed", ">=", good, moonshot, best=best, **more)

    def cost(self, title, where, ours, floor, floor_name, good=None, moonshot=None, **more):
        """How many times the floor's time."""
        value = median(ours) / median(floor) if ours and floor else None
        best = least(ours) / least(floor) if busy(ours, floor) else None
        self.row(title, where, ours, floor, floor_name, value, "x time", "<=", good, moonshot, best=best, **more)

    def problem(self, text):
        self.problems.append(text)
        print(f"  PROBLEM: {text}", file=sys.stderr, flush=True)

    @staticmethod
    def valued(row):
        best = "" if row["best"] is None else f" (best {row['best']:.3g}, cpu {row['cpu']:.3g} of the floor's)"
        return "—" if row["value"] is None else f"{row['value']:.3g} {row['unit']}{best}"

    @staticmethod
    def bar(row, name):
        if row[name] is None:
            return "—"
        return f"{'≥' if row['sense'] == '>=' else '≤'} {row[name]:.3g}"

    def table(self):
        head = ["row", "where", "ours", "floor", "ratio or value", "good", "moonshot", "verdict"]
        lines = [head]
        for row in self.rows:
            floor = f"{row['floor_name']} {described(row['floor'])}" if row["floor"] else "—"
            ours = described(row["ours"]) if row["ours"] or row["value"] is None else "—"
            lines.append([row["row"], row["where"], ours, floor, self.valued(row), self.bar(row, "good"),
                          self.bar(row, "moonshot"), row["verdict"]])
        widths = [max(len(line[n]) for line in lines) for n in range(len(head))]
        form = lambda line: "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths)) + " |"
        rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
        text = [form(head), rule] + [form(line) for line in lines[1:]]
        peers = [(row["row"], row["where"], *peer) for row in self.rows for peer in row["peers"].items()]
        if peers:
            text += ["", "Peers:"]
            for row, where, name, samples in peers:
                text.append(f"- {row} [{where}]: {name} {described(samples)}")
        notes = [f"- {row['row']} [{row['where']}]: {row['note']}" for row in self.rows if row["note"]]
        if notes:
            text += ["", "Notes:"] + notes
        if self.left_out:
            text += ["", "Left out:"] + [f"- {line}" for line in self.left_out]
        if self.problems:
            text += ["", "Problems:"] + [f"- {line}" for line in self.problems]
        return "\n".join(text)

    def write(self, path, about):
        plain = lambda samples: [sample.plain() for sample in samples]
        rows = [{**row, "ours": plain(row["ours"]), "floor": plain(row["floor"]),
                 "peers": {name: plain(samples) for name, samples in row["peers"].items()}} for row in self.rows]
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        with open(path, "w") as out:
            json.dump({**about, "rows": rows, "left_out": self.left_out, "problems": self.problems}, out, indent=1)
            out.write("\n")
        print(f"\nEvery sample: {path}")

    @property
    def missed(self):
        return bool(self.problems) or any(row["verdict"] == "missed" for row in self.rows)
