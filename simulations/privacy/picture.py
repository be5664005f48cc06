"""The picture of the same figures: what each preset costs, how long texts take, what who watches all wires can tell."""

from matplotlib import pyplot as plt

from node.privacy import Measured
from simulations.plotting import as_svg

_WINDOWS = ((900, "15 min", "o"), (3_600, "1 h", "s"), (21_600, "6 h", "^"))


def draw(measured: Measured) -> bytes:
    """SVG. Against megabytes a day of an idle link: delays above, what timing tells below."""
    figure, (delays, timing) = plt.subplots(2, 1, figsize=(6.0, 5.5), sharex=True, layout="constrained")
    for name, found in measured.presets.items():
        cost, middle, late = (found[key].mean for key in ("idle_megabytes", "text_p50_seconds", "text_p99_seconds"))
        shift = 0.9 if name == "direct" else 1.1 if name == "batched" else 1.0  # they cost the same
        delays.plot([cost * shift] * 2, [max(middle, 0.05), max(late, 0.05)], color="black", marker="_", linewidth=1)
        delays.annotate(
            name, (cost * shift, max(late, 0.05)), (0, 4), textcoords="offset points", ha="center", fontsize=8
        )
        for seconds, label, marker in _WINDOWS:
            if (auc := found.get(f"timing_auc_{seconds}")) is not None:
                timing.errorbar(
                    cost * shift, auc.mean, yerr=auc.half_width, color="black", marker=marker, markersize=4, capsize=2,
                    linewidth=1, linestyle="", label=label if name == "batched" else None,
                )  # fmt: skip
    delays.set_yscale("log")
    delays.set_ylabel("a text takes, s: p50 to p99")
    delays.margins(y=0.15)
    timing.axhline(0.5, color="grey", linewidth=0.8, linestyle=":")
    timing.set_xscale("log")
    timing.set_ylabel("who talks with whom,\nto who watches all wires: AUC")
    timing.set_xlabel("MB a day and relay, nothing said")
    timing.legend(frameon=False, title="watched for")
    return as_svg(figure)
