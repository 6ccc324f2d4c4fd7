"""What the figures have to be. Pure: from a group's figures to verdicts."""

from dataclasses import dataclass

PASS_RATIO = 0.8  # of the memory bound, at least
SKETCH_RATIO = 0.6  # the same of the telemetry's pass, which computes more than it reads on some processors
MEETING_RATIO = 1.3  # of transport and passes alone, at most
MEETINGS_PER_SECOND = 2000  # of 8 tiny workers in all, at least
SECONDS_UNTIL_ALL_HAVE_MET = 2.0  # without LibTorch, at most
PRIVATE_MEGABYTES = 150  # with LibTorch, less than
IDLE_SHARE = 0.01  # of a core, less than

# Out of cache no meeting ever checks a block: for comparison only.
WITHOUT_A_BOUND = {"check"}


@dataclass(frozen=True)
class Verdict:
    name: str
    figure: str
    wanted: str
    good: bool
    # What it was held against, where that is not the first choice.
    remark: str = ""


def judge(group, figures):
    """The verdicts on one group of figures; none for groups that are shown only."""
    return _JUDGES[group](figures) if group in _JUDGES else []


def judge_pass(name, one):
    """One fused pass: against copy or triad, and where it only reads against a loop that only reads (decision 0007)."""
    wanted = SKETCH_RATIO if name == "sketch" else PASS_RATIO
    best, remark = one["of_copy_or_triad"], ""
    if best < PASS_RATIO and "of_a_reading_loop" in one:
        best, remark = one["of_a_reading_loop"], "reading loop"
    figure = f"{100 * best:.0f} % of {'a reading loop' if remark else 'copy/triad'}"
    return Verdict(f"pass {name}", figure, f"at least {100 * wanted:.0f} %", best >= wanted, remark)


def _passes(figures):
    verdicts = [judge_pass(name, one) for name, one in figures["passes"].items() if name not in WITHOUT_A_BOUND]
    return verdicts + [judge_pass("check in cache", figures["cached_blocks"]["check"])]


def _meeting(one):
    return [Verdict("a meeting ÷ (transport + passes)", f"{one['ratio']:.2f}", "at most 1.3", one["ratio"] <= MEETING_RATIO)]


def _rate(one):
    rate = one["meetings_per_second"]
    return [Verdict("meetings (pairs) per second of 8 tiny workers", f"{rate:.0f}", "at least 2,000", rate >= MEETINGS_PER_SECOND)]


def _start(one):
    seconds = one["seconds_until_all_have_met"]
    good = 0.0 < seconds <= SECONDS_UNTIL_ALL_HAVE_MET
    return [Verdict("seconds from start until all 8 have met", f"{seconds:.2f}", "at most 2", good)]


def _idle(one):
    share = one["largest_cpu_share"]
    return [Verdict("an idle worker's share of a core (largest)", f"{100 * share:.2f} %", "under 1 %", share < IDLE_SHARE)]


def _torch(one):
    memory = one["largest_private_megabytes"]
    good = 0.0 < memory < PRIVATE_MEGABYTES
    return [Verdict("private memory of a worker with LibTorch (largest)", f"{memory:.0f} MB", "under 150 MB", good)]


_JUDGES = {"passes": _passes, "meeting": _meeting, "rate": _rate, "start": _start, "idle": _idle, "torch": _torch}
