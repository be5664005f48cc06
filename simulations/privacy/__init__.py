"""What each preset costs and hides, measured on the real machines: figures, their page and picture, and a check.

`python -m simulations.privacy` writes `simulations/results/privacy.md` and what `kassiber privacy` shows; `--quick`
measures little and ends with 1 where the promises of *constant* links, or of sizes, are not kept.
"""
