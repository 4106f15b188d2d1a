"""A page for each study that somebody will look at, with its whole series; by batches, because pictures come from the DICOM files."""


rule study_pages:
    input:
        **script("study_pages"),
        sheet=pages_to_write,
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
        queue=f"{RESULTS}/review_queue.json",
        heatmaps=f"{RESULTS}/heatmaps/{{batch}}.h5",
    output:
        # of the files in {RESULTS}/pages/studies, which the manifest names with their sha256
        manifest=f"{RESULTS}/page_files/{{batch}}.csv",
        record=f"{RESULTS}/page_files/{{batch}}.json",
    log:
        f"{RESULTS}/logs/study_pages/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/study_pages/{{batch}}.tsv"
    group:
        "pages"
    container:
        IMAGE
    threads: few_batches_threads
    resources:
        **growing(mem_mb=2000, runtime=5),
    params:
        pages=f"{RESULTS}/pages/studies",
        studies=f"{RESULTS}/studies",
        which=CONFIG["report"]["pages"],
        top=CONFIG["report"]["top_candidates"],
        options=pages_arguments(),
        software=SOFTWARE,
    message:
        "Writing the study pages of {wildcards.batch}"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --table {input.table:q} --queue {input.queue:q}"
        " --heatmaps {input.heatmaps:q} --studies-dir {params.studies:q} --which {params.which} --top {params.top}"
        " {params.options} --jobs {threads} --software {params.software:q} --out-dir {params.pages:q}"
        " --record {output.record:q} --manifest {output.manifest:q} > {log:q} 2>&1"


rule pages_index:
    input:
        **script("pages_index"),
        table=f"{RESULTS}/lstv_uncertainty_metrics.csv",
        records=page_files("json"),
        manifests=page_files("csv"),
    output:
        index=f"{RESULTS}/pages/index.html",
        viewer=[f"{RESULTS}/pages/viewer.js", f"{RESULTS}/pages/viewer.css"],
        pages=[f"{RESULTS}/pages/pages.js", f"{RESULTS}/pages/pages.css"],
        listed=f"{RESULTS}/page_list.csv",
    log:
        f"{RESULTS}/logs/pages_index.log",
    benchmark:
        f"{RESULTS}/benchmarks/pages_index.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        folder=lambda wildcards, output: os.path.dirname(output.index),
        records=f"{RESULTS}/page_files",
        batches=batch_count,
        options=pages_arguments(),
    message:
        "Listing the study pages"
    shell:
        "python {input.script:q} --table {input.table:q} --records-dir {params.records:q} --batches {params.batches}"
        " {params.options} --out-dir {params.folder:q} --list {output.listed:q} > {log:q} 2>&1"


# For choosing a series by eye: all series of one study of a scanned folder, on request.
rule contact_sheet:
    input:
        **script("contact_sheet"),
        studies=f"{RESULTS}/scan/studies.csv",
        choices=SOURCE["choices"] or [],
    output:
        sheet=f"{RESULTS}/scan/contact/{{study}}.html",
    log:
        f"{RESULTS}/logs/contact_sheet/{{study}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/contact_sheet/{{study}}.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        **growing(mem_mb=4000, runtime=60),
    params:
        folder=SOURCE["path"],
        options=options(**{name: SOURCE[name] for name in ("ids", "key", "choices", "descriptions")}),
    message:
        "Showing all series of study {wildcards.study}"
    shell:
        "python {input.script:q} --folder {params.folder:q} --study={wildcards.study:q} {params.options}"
        " --jobs {threads} --out {output.sheet:q} > {log:q} 2>&1"
