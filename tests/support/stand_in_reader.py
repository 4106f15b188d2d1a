"""A stand-in for SPINEPS or TotalSpineSeg: called as they are, it leaves the files that they leave, of the phantoms' truth.

    python stand_in_reader.py spineps sample -i IMAGE -ms t2w
    python stand_in_reader.py totalspineseg IMAGE FOLDER

``STAND_IN_STUDIES``: the list of phantoms; ``STAND_IN_FAILS``: ids of which the program ends with an error; the first
phantom that is lumbarized gets six lumbar vertebrae.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))

from lstv.dicom import nifti
from lstv_evidence.phantom import cohort, generators, mask_files


def labels_of(study_id: str, style: str):
    phantoms = {study.study_id: study for study in cohort.read_list(Path(os.environ["STAND_IN_STUDIES"]))}
    spec = phantoms[study_id].spec
    return mask_files.volume(generators.draw(spec), style, 6 if spec.kind == "lumbarized" else None)


def main(arguments: list[str]) -> int:
    program = arguments[0]
    image = Path(arguments[arguments.index("-i") + 1] if program == "spineps" else arguments[1])
    study_id = image.name.split("_")[0].removeprefix("sub-")
    print(f"reading {image.name}")
    if study_id in os.environ.get("STAND_IN_FAILS", "").split(","):
        print("RuntimeError: CUDA out of memory")
        return 1
    values, affine = labels_of(study_id, program)
    if program == "spineps":
        name = image.name.replace("_T2w.nii.gz", "_mod-T2w_seg-{}_msk.nii.gz")
        folder = image.parent / "derivatives_seg"
        nifti.write(folder / name.format("vert"), values, affine)
        parts = (values > 0).astype(values.dtype) * 49
        nifti.write(folder / name.format("spine"), parts, affine)
    else:
        nifti.write(Path(arguments[2]) / "step2_output" / image.name, values, affine)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
