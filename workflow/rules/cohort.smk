"""The study sheet: the only place where studies enter. It is written whole for the cohort, and in parts for inference."""


rule study_sheet:
    input:
        **script("study_sheet"),
        table=SOURCE_TABLE,
        images=fetched_images(),
        valid_ids=SOURCE["valid_ids"] or [],
    output:
        sheet=f"{RESULTS}/study_sheet.csv",
    log:
        f"{RESULTS}/logs/study_sheet.log",
    benchmark:
        f"{RESULTS}/benchmarks/study_sheet.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=20),
    params:
        kind=paths.layout(CONFIG),
        path=lambda wildcards: paths.source(CONFIG),
        selection=arguments.selection(CONFIG),
    message:
        "Writing the study sheet"
    shell:
        "python {input.script:q} --kind {params.kind} --path {params.path:q} {params.selection} --out {output.sheet:q} > {log:q} 2>&1"


rule batch_sheet:
    input:
        **script("study_sheet"),
        # Not the whole sheet: a study more would then rerun every batch. Snakemake would not look at the parameters below
        # either if an ancient input had to be made again, so the table is ancient only where no job makes it.
        table=batch_source(),
        images=fetched_images(),
        valid_ids=SOURCE["valid_ids"] or [],
        unknown=unknown_batch,
    output:
        sheet=f"{RESULTS}/heatmaps/{{batch}}.csv",
    log:
        f"{RESULTS}/logs/batch_sheet/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/batch_sheet/{{batch}}.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=20),
    params:
        kind=paths.layout(CONFIG),
        path=lambda wildcards: paths.source(CONFIG),
        selection=arguments.selection(CONFIG),
        batches=batch_count,
        studies=batch_fingerprint,
    message:
        "Writing the study sheet of {wildcards.batch}"
    shell:
        "python {input.script:q} --kind {params.kind} --path {params.path:q} {params.selection}"
        " --batch {wildcards.batch:q} --batches {params.batches} --out {output.sheet:q} > {log:q} 2>&1"
