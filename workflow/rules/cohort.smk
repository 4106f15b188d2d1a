"""The study sheet: the only place where studies enter."""


rule study_sheet:
    input:
        **script("study_sheet"),
        table=source_table(),
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
        mem_mb=1000,
        runtime=20,
    params:
        kind=layout(),
        path=lambda wildcards: source_path(),
        selection=selection_arguments(),
    message:
        "Writing the study sheet"
    shell:
        "python {input.script} --kind {params.kind} --path {params.path:q} {params.selection} --out {output.sheet:q} > {log} 2>&1"
