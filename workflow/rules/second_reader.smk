"""Second readers: SPINEPS and TotalSpineSeg on the studies that the ranking names, and their masks beside the point net."""

from lstv.run import second_readers

READERS = second_readers.Readers.of(CONFIG)
SECOND = f"{RESULTS}/second_reader"

if CONTAINED and READERS.without_container:
    raise WorkflowError(second_readers.no_container(READERS.without_container))


# The ranking has to be known before the programs can be asked, so the table is made without them first.
use rule cohort_table as first_ranking with:
    input:
        **script("cohort_table"),
        sheet=f"{RESULTS}/study_sheet.csv",
        metrics=manifest_files,
    output:
        table=f"{SECOND}/ranking.csv",
    log:
        f"{SECOND}/logs/first_ranking.log",
    benchmark:
        f"{SECOND}/benchmarks/first_ranking.tsv"
    params:
        studies=f"{RESULTS}/studies",
        second="",
    message:
        "Ranking the studies before the second readers are asked"


rule second_reader_studies:
    input:
        **script("second_reader_studies"),
        table=f"{SECOND}/ranking.csv",
        sheet=f"{RESULTS}/study_sheet.csv",
    output:
        studies=f"{SECOND}/studies.csv",
    log:
        f"{SECOND}/logs/second_reader_studies.log",
    benchmark:
        f"{SECOND}/benchmarks/second_reader_studies.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        options=options(
            studies=CONFIG["second_reader"]["studies"],
            # of the queue, what says which studies are in it
            **{name: CONFIG["review"][name] for name in ("ambiguous", "sample", "localizer", "seed")},
        ),
    message:
        "Choosing the studies for the second readers"
    shell:
        "python {input.script:q} --table {input.table:q} --sheet {input.sheet:q} {params.options}"
        " --out {output.studies:q} > {log:q} 2>&1"


rule second_reader_images:
    input:
        **script("export_bids"),
        sheet=f"{SECOND}/studies.csv",
    output:
        # of the images in {SECOND}/images
        manifest=f"{SECOND}/images.csv",
    log:
        f"{SECOND}/logs/second_reader_images.log",
    benchmark:
        f"{SECOND}/benchmarks/second_reader_images.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        folder=lambda wildcards: f"{SECOND}/images",
    message:
        "Writing the series for the second readers as NIfTI"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --out {params.folder:q} --manifest {output.manifest:q}"
        " --jobs {threads} > {log:q} 2>&1"


# In the program's own environment, whose Python runs the script. A study of which the program ends without a mask is a line of
# the manifest, never an end.
rule spineps:
    input:
        **script("run_second_reader"),
        images=f"{SECOND}/images.csv",
    output:
        # of the masks in {SECOND}/spineps
        manifest=f"{SECOND}/runs/spineps-{{part}}-of-{{parts}}.csv",
    log:
        f"{SECOND}/logs/spineps-{{part}}-of-{{parts}}.log",
    benchmark:
        f"{SECOND}/benchmarks/spineps-{{part}}-of-{{parts}}.tsv"
    container:
        READERS.container("spineps") or IMAGE
    threads: 8
    resources:
        **growing(mem_mb=32000, runtime=720),
        gpu=0 if LOCALIZER["device"] == "cpu" else 1,
    params:
        # as a function, because the command holds braces
        options=lambda wildcards: READERS.arguments("spineps"),
        folder=lambda wildcards: f"{SECOND}/images",
        masks=lambda wildcards: f"{SECOND}/spineps",
        logs=lambda wildcards: f"{SECOND}/logs/spineps",
        software=SOFTWARE,
    message:
        "Running SPINEPS, part {wildcards.part} of {wildcards.parts}; progress: tail -f {log}"
    shell:
        "python {input.script:q} {params.options} --images {input.images:q} --folder {params.folder:q} --part {wildcards.part}"
        " --parts {wildcards.parts} --masks {params.masks:q} --logs {params.logs:q} --software {params.software:q}"
        " --manifest {output.manifest:q} > {log:q} 2>&1"


use rule spineps as totalspineseg with:
    input:
        **script("run_second_reader"),
        images=f"{SECOND}/images.csv",
    output:
        # of the masks in {SECOND}/totalspineseg
        manifest=f"{SECOND}/runs/totalspineseg-{{part}}-of-{{parts}}.csv",
    log:
        f"{SECOND}/logs/totalspineseg-{{part}}-of-{{parts}}.log",
    benchmark:
        f"{SECOND}/benchmarks/totalspineseg-{{part}}-of-{{parts}}.tsv"
    container:
        READERS.container("totalspineseg") or IMAGE
    params:
        options=lambda wildcards: READERS.arguments("totalspineseg"),
        folder=lambda wildcards: f"{SECOND}/images",
        masks=lambda wildcards: f"{SECOND}/totalspineseg",
        logs=lambda wildcards: f"{SECOND}/logs/totalspineseg",
        software=SOFTWARE,
    message:
        "Running TotalSpineSeg, part {wildcards.part} of {wildcards.parts}; progress: tail -f {log}"


rule second_reader:
    input:
        **script("second_reader"),
        studies=f"{SECOND}/studies.csv",
        metrics=manifest_files,
        heatmaps=heatmap_files,
        runs=[f"{SECOND}/runs/{name}" for name in READERS.manifests],
    output:
        table=f"{SECOND}/second_reader.csv",
        agreement=f"{SECOND}/agreement.json",
        agreement_table=report(
            f"{SECOND}/agreement.csv",
            caption="../report/second_reader.rst",
            category="Second readers",
            labels={"what": "agreement"},
        ),
        figure=report(
            f"{SECOND}/agreement.svg",
            caption="../report/second_reader.rst",
            category="Second readers",
            labels={"what": "offsets of numbering"},
        ),
    log:
        f"{SECOND}/logs/second_reader.log",
    benchmark:
        f"{SECOND}/benchmarks/second_reader.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        studies=f"{RESULTS}/studies",
        heatmaps=f"{RESULTS}/heatmaps",
        batches=batch_count,
        masks=options(**READERS.folders(SECOND)),
        records=lambda wildcards: f"{SECOND}/studies",
        software=SOFTWARE,
    message:
        "Setting the second readers beside the point net"
    shell:
        "python {input.script:q} --studies {input.studies:q} --metrics-dir {params.studies:q} --heatmaps-dir {params.heatmaps:q}"
        " --batches {params.batches} {params.masks} --software {params.software:q} --jobs {threads} --table {output.table:q} --records {params.records:q}"
        " --agreement {output.agreement:q} --agreement-table {output.agreement_table:q} --figure {output.figure:q} > {log:q} 2>&1"
