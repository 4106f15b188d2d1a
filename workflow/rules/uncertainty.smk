"""Metrics of each study, and the cohort table."""


rule study_metrics:
    input:
        **script("study_metrics"),
        heatmaps=heatmaps_of,
        reference=CONFIG["reference"]["features"] or [],
    output:
        metrics=f"{RESULTS}/studies/{{study}}.json",
    log:
        f"{RESULTS}/logs/study_metrics/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/study_metrics/{{study}}.tsv"
    group:
        "studies"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=1),
    params:
        high=CONFIG["metrics"]["entropy_high"],
        moderate=CONFIG["metrics"]["entropy_moderate"],
        reference=options(reference=CONFIG["reference"]["features"]),
    message:
        "Measuring the uncertainty of study {wildcards.study}"
    shell:
        "python {input.script:q} --heatmaps {input.heatmaps:q} --study={wildcards.study:q}"
        " --risk-high {params.high} --risk-moderate {params.moderate} {params.reference}"
        " --out {output.metrics:q} > {log:q} 2>&1"


rule cohort_table:
    input:
        **script("cohort_table"),
        sheet=f"{RESULTS}/study_sheet.csv",
        metrics=study_files,
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
    message:
        "Collecting the cohort table"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --studies-dir {params.studies:q} --out {output.table:q} > {log:q} 2>&1"
