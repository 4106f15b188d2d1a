"""Metrics of each study, a batch at a time, and the cohort table."""


rule study_metrics:
    input:
        **script("study_metrics"),
        heatmaps=heatmaps_to_measure,
        reference=CONFIG["metrics"]["feature_bank"] or [],
    output:
        # of the files <study>.json in {RESULTS}/studies, which the manifest names with their sha256
        manifest=f"{RESULTS}/metrics/{{batch}}.csv",
    log:
        f"{RESULTS}/logs/study_metrics/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/study_metrics/{{batch}}.tsv"
    group:
        "metrics"
    container:
        IMAGE
    threads: few_batches_threads
    resources:
        **growing(mem_mb=1000, runtime=5),
    params:
        studies=f"{RESULTS}/studies",
        high=CONFIG["metrics"]["entropy_high"],
        moderate=CONFIG["metrics"]["entropy_moderate"],
        reference=options(reference=CONFIG["metrics"]["feature_bank"]),
        software=SOFTWARE,
    message:
        "Measuring the uncertainty of {wildcards.batch}"
    shell:
        "python {input.script:q} --heatmaps {input.heatmaps:q} --out-dir {params.studies:q} --manifest {output.manifest:q}"
        " --risk-high {params.high} --risk-moderate {params.moderate} {params.reference} --software {params.software:q}"
        " --jobs {threads} > {log:q} 2>&1"


# For trying one study: what its batch wrote already, measured again with a log of its own.
rule single_study:
    input:
        **script("study_metrics"),
        heatmaps=heatmaps_of,
        manifest=manifest_of,
        reference=CONFIG["metrics"]["feature_bank"] or [],
    output:
        metrics=update(f"{RESULTS}/studies/{{study}}.json"),  # others may be reading it: replaced, never removed
    log:
        f"{RESULTS}/logs/single_study/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/single_study/{{study}}.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        high=CONFIG["metrics"]["entropy_high"],
        moderate=CONFIG["metrics"]["entropy_moderate"],
        reference=options(reference=CONFIG["metrics"]["feature_bank"]),
        software=SOFTWARE,
    message:
        "Measuring the uncertainty of study {wildcards.study}"
    shell:
        "python {input.script:q} --heatmaps {input.heatmaps:q} --study={wildcards.study:q}"
        " --risk-high {params.high} --risk-moderate {params.moderate} {params.reference}"
        " --software {params.software:q} --out {output.metrics:q} > {log:q} 2>&1"


rule cohort_table:
    input:
        **script("cohort_table"),
        sheet=f"{RESULTS}/study_sheet.csv",
        metrics=manifest_files,
        second_reader=second_reader_table(),
    output:
        table=report(
            f"{RESULTS}/lstv_uncertainty_metrics.csv",
            caption="../report/table.rst",
            category="Cohort",
            labels={"what": "cohort table"},
        ),
    log:
        f"{RESULTS}/logs/cohort_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/cohort_table.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=20),
    params:
        studies=f"{RESULTS}/studies",
        second=options(second_reader=next(iter(second_reader_table()), None)),
    message:
        "Collecting the cohort table"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --studies-dir {params.studies:q} {params.second}"
        " --out {output.table:q} > {log:q} 2>&1"
