"""The baseline of benchmark-paired: the centre slice of each study, one after another, in one plain process.

Written as somebody would who needs the numbers of the reference implementation and no more; no part is slow on purpose. Per
study: list the folder in natural order, take the range of the stored values of the series, resize the centre slice, one
forward pass in inference mode, entropies and peaks, a line of CSV.
"""

from __future__ import annotations

import argparse
import csv
import sys
import time
from pathlib import Path

import cohorts  # noqa: F401  # puts the library on the path
import cv2
import numpy as np
import pydicom
import torch
from natsort import natsorted

from lstv.localizer.checkpoint import load_localizer

LEVELS = ("l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sheet", type=Path, required=True)
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument(
        "--centre-only", action="store_true", help="decode the centre slice only and take its own range"
    )
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network = load_localizer(args.checkpoint).network.eval()
    network.to(memory_format=torch.channels_last)
    network.to(args.device)
    start = time.perf_counter()
    with open(args.sheet, newline="") as sheet, open(args.out, "w", newline="") as table, torch.inference_mode():
        writer = csv.writer(table)
        writer.writerow(["study_id", *(f"{level}_{name}" for level in LEVELS for name in ("confidence", "entropy"))])
        studies = 0
        for row in csv.DictReader(sheet):
            files = natsorted(Path(row["series_dir"]).glob("*.dcm"))
            centre = len(files) // 2
            if not args.centre_only:
                slices = [pydicom.dcmread(path).pixel_array for path in files]
                low, high = min(image.min() for image in slices), max(image.max() for image in slices)
                image = slices[centre]
            else:
                image = pydicom.dcmread(files[centre]).pixel_array
                low, high = image.min(), image.max()
            image = ((image.astype(np.float64) - low) / (float(high) - float(low)) * 255).astype(np.uint8)
            image = cv2.resize(image, (160, 160), interpolation=cv2.INTER_LINEAR)
            probability = network(torch.from_numpy(image)[None, None].to(args.device)).softmax(1)[0, 1:].cpu().double()
            line = [row["study_id"]]
            for level in probability:
                share = level / level.sum()
                entropy = -(share * torch.log(share + 1e-12)).sum()
                line += [f"{level.max():.6f}", f"{entropy:.6f}"]
            writer.writerow(line)
            studies += 1
    print(f"{studies} studies in {time.perf_counter() - start:.2f} s after the start")
    return 0


if __name__ == "__main__":
    sys.exit(main())
