"""What must be there first: the demo cohort, the scan of a folder, files from Kaggle.

The fetching rules run where Snakemake runs, because compute nodes often have no network, and one at a time. Their programs
are ancient: an edit must not fetch gigabytes again.
"""


rule demo_cohort:
    input:
        **script("make_demo_cohort"),
        studies=DEMO_STUDIES,
    output:
        table=f"{RESULTS}/dicom/{rsna_layout.SERIES_TABLE}",
        images=directory(f"{RESULTS}/dicom/{rsna_layout.IMAGES}"),
    log:
        f"{RESULTS}/logs/demo_cohort.log",
    benchmark:
        f"{RESULTS}/benchmarks/demo_cohort.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        **growing(mem_mb=2000, runtime=10),
    params:
        out=lambda wildcards, output: os.path.dirname(output.table),
    message:
        "Making the demo cohort: synthetic phantoms as DICOM"
    shell:
        "python {input.script:q} --studies {input.studies:q} --out {params.out:q} --jobs {threads} > {log:q} 2>&1"


checkpoint scan_folder:
    input:
        **script("scan_folder"),
        choices=SOURCE["choices"] or [],
    output:
        studies=f"{RESULTS}/scan/studies.csv",
        series=f"{RESULTS}/scan/series.csv",
        summary=f"{RESULTS}/scan/scan.json",
        # paths often name patients and images are theirs, so lists and what is unpacked from zip files lie outside the results
        lists=directory(f"resources/private/{CONFIG['cohort']}/series"),
        extracted=directory(f"resources/private/{CONFIG['cohort']}/extracted"),
    log:
        f"{RESULTS}/logs/scan_folder.log",
    benchmark:
        f"{RESULTS}/benchmarks/scan_folder.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        **growing(mem_mb=4000, runtime=240),
    params:
        folder=SOURCE["path"],
        options=arguments.scan(CONFIG),
        software=SOFTWARE,
    message:
        "Scanning the folder for sagittal T2 series of the lumbar spine; progress: tail -f {log}"
    shell:
        "python {input.script:q} --folder {params.folder:q} {params.options} --out {output.studies:q}"
        " --software {params.software:q} --all-series {output.series:q} --summary {output.summary:q} --series-lists {output.lists:q}"
        " --extracted {output.extracted:q} --jobs {threads} > {log:q} 2>&1"


checkpoint scan_bids:
    input:
        **script("scan_bids"),
        choices=SOURCE["choices"] or [],
    output:
        studies=f"{RESULTS}/scan/bids.csv",
        series=f"{RESULTS}/scan/bids_images.csv",
    log:
        f"{RESULTS}/logs/scan_bids.log",
    benchmark:
        f"{RESULTS}/benchmarks/scan_bids.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=60),
    params:
        folder=SOURCE["path"],
        options=options(choices=SOURCE["choices"]),
    message:
        "Looking through the BIDS folder for sagittal T2 images of the lumbar spine"
    shell:
        "python {input.script:q} --folder {params.folder:q} {params.options} --out {output.studies:q}"
        " --all-series {output.series:q} > {log:q} 2>&1"


# Point net and ids are each fetched by a rule of its own: Snakemake removes all outputs of a rule before it runs, and one of the
# two may be the user's, put there by hand.
rule fetch_pointnet:
    input:
        script=ancient(of_code("scripts/fetch_pointnet.py")),
    output:
        checkpoint=targets.fetched(checks.FETCHED[0], SOURCE["download"]),
    log:
        f"{RESULTS}/logs/fetch_pointnet.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_pointnet.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=720),
        kaggle=1,
    params:
        folder=os.path.dirname(checks.FETCHED[0]),
        name=os.path.basename(checks.FETCHED[0]),
    message:
        "Fetching the point net from Kaggle; progress: tail -f {log}"
    shell:
        "python {input.script:q} --out {params.folder:q} --only {params.name:q} > {log:q} 2>&1"


rule fetch_valid_ids:
    input:
        script=ancient(of_code("scripts/fetch_pointnet.py")),
    output:
        valid_ids=targets.fetched(checks.FETCHED[1], SOURCE["download"]),
    log:
        f"{RESULTS}/logs/fetch_valid_ids.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_valid_ids.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=60),
        kaggle=1,
    params:
        folder=os.path.dirname(checks.FETCHED[1]),
        name=os.path.basename(checks.FETCHED[1]),
    message:
        "Fetching the validation ids from Kaggle"
    shell:
        "python {input.script:q} --out {params.folder:q} --only {params.name:q} > {log:q} 2>&1"


checkpoint fetch_series_table:
    input:
        script=ancient(of_code("scripts/fetch_series_table.py")),
        # who is selected is known when table and validation ids are both there
        valid_ids=ancient(SOURCE["valid_ids"] or []),
    output:
        table=downloaded(rsna_layout.SERIES_TABLE),
    log:
        f"{RESULTS}/logs/fetch_series_table.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_series_table.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=720),
        kaggle=1,
    params:
        folder=lambda wildcards, output: os.path.dirname(output.table),
    message:
        "Fetching the series table from Kaggle"
    shell:
        "python {input.script:q} --out {params.folder:q} > {log:q} 2>&1"


rule fetch_images:
    input:
        script=ancient(of_code("scripts/fetch_images.py")),
        listing=f"{RESULTS}/kaggle/series.csv",
    output:
        manifest=f"{RESULTS}/kaggle/manifest.csv",
    log:
        f"{RESULTS}/logs/fetch_images.log",
    benchmark:
        f"{RESULTS}/benchmarks/fetch_images.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=2000, runtime=720),
        kaggle=1,
    params:
        folder=SOURCE["path"],
        options=options(whole_archive=SOURCE["whole_archive"]),
    message:
        "Fetching the selected series from Kaggle; progress: tail -f {log}"
    shell:
        "python {input.script:q} --series-list {input.listing:q} --out {params.folder:q} --manifest {output.manifest:q}"
        " {params.options} > {log:q} 2>&1"


rule series_list:
    input:
        **script("series_list"),
        table=downloaded(rsna_layout.SERIES_TABLE),
        valid_ids=SOURCE["valid_ids"] or [],
    output:
        listing=f"{RESULTS}/kaggle/series.csv",
    log:
        f"{RESULTS}/logs/series_list.log",
    benchmark:
        f"{RESULTS}/benchmarks/series_list.tsv"
    localrule: True
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        folder=SOURCE["path"],
        selection=arguments.selection(CONFIG),
    message:
        "Listing the series to fetch"
    shell:
        "python {input.script:q} --path {params.folder:q} {params.selection} --out {output.listing:q} > {log:q} 2>&1"
