"""The chosen series as NIfTI in a BIDS folder, for other programs; asked for by the target ``bids``."""


rule export_bids:
    input:
        **script("export_bids"),
        sheet=sheet_to_export,
    output:
        # of the images in {RESULTS}/bids, which the manifest names with their sha256
        manifest=f"{RESULTS}/bids_manifests/{{batch}}.csv",
    log:
        f"{RESULTS}/logs/export_bids/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/export_bids/{{batch}}.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        **growing(mem_mb=4000, runtime=30),
    params:
        folder=lambda wildcards: f"{RESULTS}/bids",
    message:
        "Writing the series of {wildcards.batch} as NIfTI"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --out {params.folder:q} --manifest {output.manifest:q}"
        " --jobs {threads} > {log:q} 2>&1"


rule bids_dataset:
    input:
        **script("bids_dataset"),
        sheet=f"{RESULTS}/study_sheet.csv",
        manifests=lambda wildcards: [f"{RESULTS}/bids_manifests/{batch}.csv" for batch in batches()],
    output:
        description=f"{RESULTS}/bids/dataset_description.json",
        participants=f"{RESULTS}/bids/participants.tsv",
        table=f"{RESULTS}/bids_export.csv",
    log:
        f"{RESULTS}/logs/bids_dataset.log",
    benchmark:
        f"{RESULTS}/benchmarks/bids_dataset.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        **growing(mem_mb=1000, runtime=10),
    params:
        folder=lambda wildcards, output: os.path.dirname(output.description),
        manifests=f"{RESULTS}/bids_manifests",
        batches=batch_count,
        name=CONFIG["cohort"],
        software=SOFTWARE,
    message:
        "Describing the BIDS folder"
    shell:
        "python {input.script:q} --manifests-dir {params.manifests:q} --sheet {input.sheet:q} --batches {params.batches}"
        " --folder {params.folder:q} --name {params.name:q} --software {params.software:q} --table {output.table:q} > {log:q} 2>&1"


rule bids:
    input:
        rules.bids_dataset.output.description,
    localrule: True
