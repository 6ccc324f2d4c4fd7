"""Writes docs/benchmarks.md from figures. Pure: figures in, text out."""

from verdicts import WITHOUT_A_BOUND, judge, judge_pass


def _yes(good):
    return "yes" if good else "**no**"


def _percent(one, key):
    return f"{100 * one[key]:.0f} %" if key in one else ""


def _passes(figures):
    width = figures["bandwidth"]
    lines = [
        f"## Fused passes, one thread, {figures['elements'] / 1e6:.1f} M float32, {figures['simd_target']}",
        "",
        "The bound is the time that moving the pass's bytes takes at the best copy or triad bandwidth of the same run,",
        "write-allocate counted. Beside it, the plain loop of the pass's own kind: two streams that are only read, or two",
        "that are updated in place. A pass that only reads and stays under 80 % of copy or triad is held against the",
        "reading loop, and the verdict says so ([why](decisions/0007-read-bound.md)).",
        "",
        "Ratios far above 100 % are no miscount: what bounds one core is the lines that it fetches. A copy counts 12 bytes an",
        "element and fetches 8 (what it reads, and the line that it writes); an update in place counts 16 and fetches 8,",
        "because the line that it writes is already there, and writing back overlaps with fetching. The plain updating loop",
        "shows the same.",
        "",
        "Measured in this run: " + ", ".join(f"{name.replace('_', ' ')} {1e-9 * one:.1f} GB/s" for name, one in width.items()) + ".",
        "",
        "| pass | ms | of copy/triad | of a reading loop | of an updating loop | at least 80 % |",
        "| --- | --- | --- | --- | --- | --- |",
    ]

    def row(name, one, milliseconds, verdict):
        return (
            f"| {name} | {milliseconds} | {_percent(one, 'of_copy_or_triad')} | {_percent(one, 'of_a_reading_loop')} | "
            f"{_percent(one, 'of_an_updating_loop')} | {verdict} |"
        )

    for name, one in figures["passes"].items():
        verdict = judge_pass(name, one)
        text = _yes(verdict.good) + (f" ({verdict.wanted})" if verdict.wanted != "at least 80 %" else "") + (f", of a {verdict.remark} only" if verdict.remark and verdict.good else "")
        if name in WITHOUT_A_BOUND:
            name, text = f"{name} (checksum and distance), out of cache: no meeting does that", ""
        lines.append(row(name, one, f"{1e3 * one['seconds']:.1f}", text))
    check = figures["cached_blocks"]["check"]
    verdict = judge_pass("check", check)
    lines.append(row("check as in a meeting: a block of 1 MiB in cache", check, f"{1e3 * check['seconds']:.3f}", _yes(verdict.good)))
    return lines


def _meeting(one):
    return [
        "", "## One meeting of 25.6 M float32 between two processes, libfabric over tcp", "",
        "| block | in flight | meeting, s | transport alone, s | passes alone, s | ratio | at most 1.3 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
        f"| {one['block_bytes'] // 1024} KiB | {one['in_flight']} | {one['meeting']:.3f} | {one['transport']:.3f} | "
        f"{one['passes']:.3f} | {one['ratio']:.2f} | {_yes(judge('meeting', one)[0].good)} |",
    ]


def _transport(one):
    return [
        "", "## Transport alone", "",
        f"- 1 MiB blocks, 4 in flight, both ways at once: {one['gigabytes_per_second_each_way']:.2f} GB/s each way",
        f"- {one['small_message_bytes']} bytes there and back: {one['round_trips_per_second']:.0f} times a second",
    ]


def _workers(figures):
    lines = ["", "## Eight tiny workers (1,000 parameters)", "", "| what | figure | wanted | met |", "| --- | --- | --- | --- |"]
    for group in ("rate", "start", "idle", "torch"):
        for verdict in judge(group, figures[group]) if group in figures else []:
            lines.append(f"| {verdict.name} | {verdict.figure} | {verdict.wanted} | {_yes(verdict.good)} |")
    lines.append(f"| private memory of a worker without LibTorch (largest) | {figures['idle']['largest_private_megabytes']:.0f} MB | | |")
    if "torch" in figures:
        lines.append(f"| seconds until all have met, with LibTorch | {figures['torch']['seconds_until_all_have_met']:.2f} | | |")
    return lines


def _gossip(proofs):
    lines = [
        "", "## Pure gossip: 16 processes on a ring", "",
        "Meetings that a worker had taken part in when the squared consensus distance had fallen by 10⁶. Theory, without",
        "memory: 158 for the baseline, 61 for A²CiD².", "",
        "| algorithm | pairing | transport | meetings per worker, one figure a seed | wanted | least used edge ÷ mean |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for one in proofs["runs"]:
        meetings = ", ".join("never" if value is None else f"{value:.0f}" for value in one["meetings_per_worker"])
        wanted = f"at most {one['bound']}" if one.get("bound") else ""
        use = min(one["least_use"])
        transport = f"slowed down by {1e3 * one['delay']:.0f} ms" if one["delay"] else "as it is"
        lines.append(f"| {one['algorithm']} | {one['pairing']} | {transport} | {meetings} | {wanted} | {use:.2f} |")
    return lines


def _digits(proofs):
    lines = [
        "", "## Digits: 16 processes on a ring", "",
        "Consensus distance over the second half of the trace, A²CiD² ÷ baseline (wanted: below 0.85 with the default",
        "schedule), and the averaged model's test accuracy (wanted: at least 97 %).", "",
        "| learning rate | seed | A²CiD² | baseline | ratio | accuracy A²CiD² | accuracy baseline |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for one in proofs["runs"]:
        lines.append(
            f"| {one['schedule']} | {one['seed']} | {one['a2cid2']['consensus_distance']:.4f} | "
            f"{one['adpsgd']['consensus_distance']:.4f} | {one['ratio']:.3f} | {100 * one['a2cid2']['test_accuracy']:.2f} % | "
            f"{100 * one['adpsgd']['test_accuracy']:.2f} % |"
        )
    if "alone" in proofs:
        lines += ["", f"One process alone, same recipe: {100 * proofs['alone']['test_accuracy']:.2f} %."]
    return lines


def _monitoring(proofs):
    lines = [
        "", "## Metrics of a run", "",
        "| | figure | wanted |", "| --- | --- | --- |",
    ]
    if "exporter" in proofs:
        one = proofs["exporter"]
        lines.append(
            f"| processor time of a trainer's step with a crowd at its exporter (scrapes, 200 at once among them, half-open "
            f"connections, garbage, large bodies) ÷ without, medians of {one['rounds']} turns | {one['crowd_to_quiet']:.3f} | below 1.02 |"
        )
    if "prometheus" in proofs:
        one = proofs["prometheus"]
        lines.append(
            f"| meetings per second of 8 training workers, `job:duet_pairings:rate1m` ÷ the workers' own counts "
            f"({one['own_rate']:.0f} a second) | {one['rate'] / one['own_rate']:.3f} | 0.95 to 1.05 |"
        )
    return lines + ["", proofs["exporter" if "exporter" in proofs else "prometheus"]["where"]]


def page(figures, where, proofs, warning):
    """figures: by group; where: date, machine and load, in words; proofs: what the proofs wrote, by name; warning: or None."""
    lines = ["# Benchmarks", "", "Written by `tests/bench/figures.py`; do not edit. What counts are ratios within one run.", ""]
    if warning:
        lines += [f"> **{warning}**", ""]
    lines += [where, ""]
    lines += _passes(figures["passes"]) + _meeting(figures["meeting"]) + _transport(figures["transport"]) + _workers(figures)
    if "gossip" in proofs:
        lines += _gossip(proofs["gossip"]) + ["", proofs["gossip"]["where"]]
    if "digits" in proofs:
        lines += _digits(proofs["digits"]) + ["", proofs["digits"]["where"]]
    if proofs.keys() & {"exporter", "prometheus"}:
        lines += _monitoring(proofs)
    return "\n".join(lines) + "\n"
