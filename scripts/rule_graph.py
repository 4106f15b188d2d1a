"""Draw the workflow's rules and what each takes from which, as Snakemake plans them, to docs/figures/rule_graph.svg.

No single run has all rules, so the graphs of four plans are put together: the demo with evaluation, second readers, export
and method study, a scanned folder, a BIDS folder, and a download. Needs Snakemake and Graphviz (Debian: apt install
graphviz); run it after rules were added or renamed.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

from lstv.base.atomic import write_text
from lstv.base.cli import argument_parser, run
from lstv.base.errors import UserError
from lstv.base.tables import read_table

_ROOT = Path(__file__).resolve().parents[1]
_DEMO = "resources/demo/studies.csv"
_NODE = re.compile(r'^\s*(\d+)\[label = "(\w+)', re.MULTILINE)
_EDGE = re.compile(r"^\s*(\d+) -> (\d+)", re.MULTILINE)
_STYLE = """digraph rules {
    graph[margin=0, ranksep=0.35, nodesep=0.2];
    node[shape=box, style="rounded,filled", fillcolor="#f4f6f8", color="#4a6785", fontname="sans-serif", fontsize=11];
    edge[color="#7d8b99", arrowsize=0.7];
"""


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    """Command line."""
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--out",
        type=Path,
        default=_ROOT / "docs/figures/rule_graph.svg",
        help="the picture (default: that of the docs)",
    )
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> int:
    """Plan, put together, draw; returns the exit status."""
    args = parse_args(argv)
    edges: set[tuple[str, str]] = set()
    for plan in _plans():
        dot = _output("snakemake", "--profile", "profiles/local", *plan)
        names = dict(_NODE.findall(dot))
        edges |= {(names[first], names[second]) for first, second in _EDGE.findall(dot)}
    lines = [f"    {first} -> {second};\n" for first, second in sorted(edges)]
    write_text(args.out, _output("dot", "-Tsvg", text="".join([_STYLE, *lines, "}\n"])))
    print(f"{args.out}: {len({name for edge in edges for name in edge})} rules")
    return 0


def _plans() -> list[list[str]]:
    """Snakemake's arguments of each plan; what the settings name has to exist, but no job runs."""
    study = read_table(_ROOT / _DEMO, ("study_id",))[0]["study_id"]
    return [
        [
            "all",
            "bids",
            "method_study",
            "method_study_patients",
            f"results/demo/debug/{study}.png",
            "results/demo/figures",
            "reading",
        ]
        + ["--rulegraph", "dot", "--config", f"evaluation={{annotations: {_DEMO}}}"]
        + ["second_reader={spineps: {}, totalspineseg: {}}"],
        ["all", "results/folder/scan/contact/any.html", "--rulegraph", "dot", "--configfile", "config/folder.yaml"]
        + ["--config", "source={path: docs, key: resources/private/key}", "localizer={checkpoint: LICENSE}"],
        ["all", "--rulegraph", "dot", "--configfile", "config/bids.yaml"]
        + ["--config", "source={path: docs}", "localizer={checkpoint: LICENSE}"],
        ["all", "--rulegraph", "dot", "--configfile", "config/rsna.yaml"]
        + ["--config", "source={path: data/not-downloaded, download: true}"],
    ]


def _output(*command: str, text: str | None = None) -> str:
    try:
        done = subprocess.run(command, cwd=_ROOT, input=text, capture_output=True, text=True)
    except FileNotFoundError as error:
        raise UserError(f"{command[0]} is not installed; it is needed to draw the rule graph.") from error
    if done.returncode:
        raise UserError(f"{command[0]} failed: {done.stderr.strip()}")
    return done.stdout


if __name__ == "__main__":
    sys.exit(run(main))
