"""The demo localizer's model card: what it is for, what it was made from, what was measured, what it cannot do."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from lstv.base.levels import GRID, LEVEL_LABELS, LEVELS
from lstv.localizer.checkpoint import Localizer, read_checkpoint
from lstv_evidence.phantom import evaluation, samples, training

VERSION = "1.0.0"


def card(checkpoint: Path, localizer: Localizer, measured: dict) -> dict:
    """JSON-ready model card of a demo checkpoint; ``measured`` are the records of ``evaluation`` by group."""
    recipe = read_checkpoint(checkpoint).container["training"]
    network = localizer.network
    channels = {"0": "background", **{str(k): LEVEL_LABELS[level] for k, level in enumerate(LEVELS, start=1)}}
    return {
        "name": "lstv-uncertainty demo localizer",
        "version": VERSION,
        "task": "marks the spinal canal at the five lumbar disc levels on a sagittal T2 slice of a synthetic phantom",
        "intended_use": (
            "The demo and the tests of lstv-uncertainty: it lets the whole workflow run, with the real code path, on "
            "synthetic phantoms without the published point net or patient data."
        ),
        "not_for": (
            "Patients, in any form. It has never seen an image of a person; the workflow refuses it for DICOM files that "
            "are not phantoms. Nothing measured with it says anything about LSTV, the published point net or real MR."
        ),
        "license": "as the repository it is part of",
        "checkpoint": {
            "file": checkpoint.name,
            "sha256": localizer.sha256,
            "bytes": checkpoint.stat().st_size,
            "format": "PyTorch; keys state_dict, purpose, training; tensors and plain values only",
        },
        "network": {
            "architecture": "lstv.localizer.network.LocalizerUNet (ResNet-50-D encoder, U-Net decoder), narrow",
            "widths": asdict(network.widths),
            "parameters": sum(parameter.numel() for parameter in network.parameters()),
        },
        "network_data_format": {
            "inputs": {
                "image": {
                    "type": "centre slice (index D // 2) of a sagittal T2 series",
                    "dtype": "uint8",
                    "shape": [1, 1, GRID, GRID],
                    "preparation": (
                        "series clipped to its 0.1 and 99.9 percentiles and scaled to 0..255; slice resized with OpenCV "
                        "INTER_LINEAR, aspect ratio not kept"
                    ),
                }
            },
            "outputs": {
                "logits": {
                    "dtype": "float32",
                    "shape": [1, len(channels), GRID, GRID],
                    "activation": "softmax over the channels",
                    "channels": channels,
                }
            },
        },
        "training": {
            **recipe,
            "data": (
                "normal phantoms only (lstv_evidence.phantom.samples.training_spec: mild degeneration, scoliosis, crops, "
                "noise, ghosts), centre slice and its two neighbours"
            ),
            "phantom_seeds": [
                training.FIRST_SEED * (recipe["seed"] + 1),
                training.FIRST_SEED * (recipe["seed"] + 1) + recipe["phantoms"] - 1,
            ],
            "target": (
                f"discs of radius {samples.TARGET_RADIUS:g} grid pixels at the middle of the thecal sac behind each "
                "intervertebral disc"
            ),
            "loss": "cross-entropy and soft Dice",
            "optimizer": "AdamW, one-cycle learning rate",
            "augmentation": "shift (mostly along the spine), zoom, stretch, rotation, contrast, noise",
            "program": "scripts/train_demo_localizer.py",
        },
        "evaluation": {
            "program": "scripts/evaluate_demo_localizer.py",
            "data": (
                "held-out phantoms, prepared as at inference; transitional degrees evenly from 0.3 to 1; errors between "
                "the mean position of pixels with probability above 0.5 and the true canal point; a detection is such a "
                f"point within {2 * samples.TARGET_RADIUS:g} grid pixels of the truth"
            ),
            "units": {
                "error_px": f"pixels of the {GRID} x {GRID} grid",
                "error_mm": "mm in the slice",
                "doubt": "nats",
            },
            "numbering": (
                "names at the true discs: agrees = all right, incomplete = right where named, shifted_down = all one level "
                "too low (L4/L5 called L5/S1), shifted_up = all one level too high, mixed = anything else"
            ),
            **measured,
        },
        "limits": [
            "Phantoms are far simpler than patients; errors here are those of an easy task.",
            "It numbers levels by the shape of the sacrum, as it was never shown a transitional one: what it does there is "
            "extrapolation, reported under evaluation as measured.",
            "Where the sacrum is outside the field, numbering is a guess.",
            "Confidence is not calibrated.",
            f"Held-out seeds start at {evaluation.FIRST_SEED}; the demo cohort and training use others.",
        ],
    }
