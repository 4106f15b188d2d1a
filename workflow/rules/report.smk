"""What people look at: the report, the review queue, one study as a figure."""


rule review_queue:
    input:
        **script("review_queue"),
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
    output:
        table=report(
            f"{RESULTS}/review_queue.csv",
            caption="../report/queue.rst",
            category="Cohort",
            labels={"what": "review queue"},
        ),
        queue=f"{RESULTS}/review_queue.json",
    log:
        f"{RESULTS}/logs/review_queue.log",
    benchmark:
        f"{RESULTS}/benchmarks/review_queue.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        options=options(**CONFIG["review"]),
        software=SOFTWARE,
    message:
        "Drawing the review queue"
    shell:
        "python {input.script:q} --table {input.table:q} {params.options}"
        " --software {params.software:q} --csv {output.table:q} --json {output.queue:q} > {log:q} 2>&1"


rule reading_bundle:
    input:
        **script("reading_bundle"),
        queue=f"{RESULTS}/review_queue.json",
        sheet=f"{RESULTS}/study_sheet.csv",
    output:
        bundle=directory(f"{RESULTS}/reading"),
        key=f"{RESULTS}/reading_key.json",
    log:
        f"{RESULTS}/logs/reading_bundle.log",
    benchmark:
        f"{RESULTS}/benchmarks/reading_bundle.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        cohort=CONFIG["cohort"],
    message:
        "Writing the reading bundle"
    shell:
        "python {input.script:q} --queue {input.queue:q} --sheet {input.sheet:q} --cohort {params.cohort:q}"
        " --unblinding {output.key:q} --out {output.bundle:q} > {log:q} 2>&1"


rule annotations:
    input:
        **script("import_annotations"),
        annotations=CONFIG["evaluation"]["annotations"] or [],
    output:
        labels=f"{RESULTS}/evaluation/labels.csv",
        not_used=f"{RESULTS}/evaluation/annotations_not_used.csv",
    log:
        f"{RESULTS}/logs/annotations.log",
    benchmark:
        f"{RESULTS}/benchmarks/annotations.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        fields=arguments.annotation_fields(CONFIG),
    message:
        "Reading the annotations"
    shell:
        "python {input.script:q} --annotations {input.annotations:q} {params.fields}"
        " --out {output.labels:q} --not-used {output.not_used:q} > {log:q} 2>&1"


rule evaluation:
    input:
        **script("evaluate"),
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
        labels=paths.labels(CONFIG) or [],
        queue=CONFIG["evaluation"]["queue"] or f"{RESULTS}/review_queue.json",
    output:
        results=f"{RESULTS}/evaluation/evaluation.json",
        table=report(
            f"{RESULTS}/evaluation/metrics.csv",
            caption="../report/evaluation.rst",
            category="Evaluation",
            labels={"what": "all metrics"},
        ),
        figures=directory(f"{RESULTS}/evaluation/figures"),
    log:
        f"{RESULTS}/logs/evaluation.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluation.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        seed=CONFIG["evaluation"]["seed"],
        software=SOFTWARE,
    message:
        "Evaluating the metrics against labels"
    shell:
        "python {input.script:q} --table {input.table:q} --labels {input.labels:q} --queue {input.queue:q} --seed {params.seed}"
        " --software {params.software:q} --out {output.results:q} --csv {output.table:q} --figures {output.figures:q} > {log:q} 2>&1"


rule evaluation_page:
    input:
        **script("evaluation_page"),
        results=f"{RESULTS}/evaluation/evaluation.json",
    output:
        page=report(
            f"{RESULTS}/evaluation/evaluation.html",
            caption="../report/evaluation.rst",
            category="Evaluation",
            labels={"what": "page"},
        ),
    log:
        f"{RESULTS}/logs/evaluation_page.log",
    benchmark:
        f"{RESULTS}/benchmarks/evaluation_page.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        options=options(cohort=CONFIG["cohort"], report="../report.html", table="metrics.csv"),
    message:
        "Writing the page of the evaluation"
    shell:
        "python {input.script:q} --evaluation {input.results:q} {params.options} --out {output.page:q} > {log:q} 2>&1"


rule cohort_report:
    input:
        **script("build_report"),
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
        sheet=f"{RESULTS}/study_sheet.csv",
        metrics=manifest_files,
        heatmaps=heatmap_files,
        scan=[f"{RESULTS}/scan/scan.json"] if SOURCE["kind"] == "folder" else [],
        pages=[f"{RESULTS}/page_list.csv"] if CONFIG["report"]["pages"] != "none" else [],
    output:
        report=report(
            f"{RESULTS}/report.html",
            caption="../report/report.rst",
            category="Cohort",
            labels={"what": "report"},
        ),
    log:
        f"{RESULTS}/logs/cohort_report.log",
    benchmark:
        f"{RESULTS}/benchmarks/cohort_report.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=4000, runtime=30),
    params:
        studies=f"{RESULTS}/studies",
        heatmaps=f"{RESULTS}/heatmaps",
        batches=batch_count,
        options=arguments.report(CONFIG),
        software=SOFTWARE,
        scan=options(scan=f"{RESULTS}/scan/scan.json" if SOURCE["kind"] == "folder" else None),
        evaluation=options(evaluation="evaluation/evaluation.html" if paths.labels(CONFIG) else None),
        pages=lambda wildcards, input: options(
            pages_list=input.pages or None, pages_dir=f"{RESULTS}/pages" if input.pages else None
        ),
    message:
        "Building the report"
    shell:
        "python {input.script:q} --table {input.table:q} --sheet {input.sheet:q} --studies-dir {params.studies:q}"
        " --heatmaps-dir {params.heatmaps:q} --batches {params.batches} {params.options} {params.scan}"
        " {params.evaluation} {params.pages} --software {params.software:q}"
        " --out {output.report:q} > {log:q} 2>&1"


rule cohort_figures:
    input:
        **script("cohort_figures"),
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
    output:
        figures=directory(f"{RESULTS}/figures"),
    log:
        f"{RESULTS}/logs/cohort_figures.log",
    benchmark:
        f"{RESULTS}/benchmarks/cohort_figures.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=20),
    params:
        high=CONFIG["metrics"]["entropy_high"],
        moderate=CONFIG["metrics"]["entropy_moderate"],
    message:
        "Drawing the cohort's figures for papers"
    shell:
        "python {input.script:q} --table {input.table:q} --risk-high {params.high} --risk-moderate {params.moderate}"
        " --out-dir {output.figures:q} > {log:q} 2>&1"


rule debug_view:
    input:
        **script("plot_study"),
        metrics=f"{RESULTS}/studies/{{study}}.json",
        heatmaps=heatmaps_of,
    output:
        figure=report(
            f"{RESULTS}/debug/{{study}}.png",
            caption="../report/study.rst",
            category="Studies",
            labels={"study": "{study}"},
        ),
    log:
        f"{RESULTS}/logs/debug_view/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/debug_view/{{study}}.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=10),
    message:
        "Drawing study {wildcards.study}"
    shell:
        "python {input.script:q} --metrics {input.metrics:q} --heatmaps {input.heatmaps:q} --out {output.figure:q} > {log:q} 2>&1"


# The last rule: it ends the run with an error, and only its own counts are missing then. It has an output so that nothing is
# to be done of a finished run.
rule failure_guard:
    input:
        **script("failure_guard"),
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
        report=f"{RESULTS}/report.html",
        queue=f"{RESULTS}/review_queue.csv",
    output:
        counts=f"{RESULTS}/failures.json",
    log:
        f"{RESULTS}/logs/failure_guard.log",
    benchmark:
        f"{RESULTS}/benchmarks/failure_guard.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        options=options(**CONFIG["guard"]),
        software=SOFTWARE,
    message:
        "Counting the studies that failed"
    shell:
        "python {input.script:q} --table {input.table:q} --report {input.report:q} {params.options}"
        " --software {params.software:q} --out {output.counts:q} > {log:q} 2>&1"


rule reading:
    input:
        f"{RESULTS}/reading",
    localrule: True
