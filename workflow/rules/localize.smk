"""Heatmap inference: the GPU rule."""

from lstv.localizer.centroids import existing_files


rule infer_heatmaps:
    input:
        **script("infer_heatmaps"),
        sheet=f"{RESULTS}/heatmaps/{{batch}}.csv",
        checkpoint=LOCALIZER["checkpoint"],
        centroids=lambda wildcards: existing_files(LOCALIZER["centroids"], batches().get(wildcards.batch, ())),
    output:
        heatmaps=f"{RESULTS}/heatmaps/{{batch}}.h5",
    log:
        f"{RESULTS}/logs/infer_heatmaps/{{batch}}.log",
    benchmark:
        f"{RESULTS}/benchmarks/infer_heatmaps/{{batch}}.tsv"
    container:
        IMAGE
    threads: LOCALIZER["workers"] or MOST_WORKERS
    resources:
        **growing(mem_mb=8000, runtime=60),
        gpu=0 if LOCALIZER["device"] == "cpu" else 1,
    params:
        options=arguments.localizer(CONFIG),
        software=SOFTWARE,
    message:
        "Localizing the disc levels of {wildcards.batch}"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --checkpoint {input.checkpoint:q} {params.options}"
        " --workers {threads} --threads {threads} --software {params.software:q} --out {output.heatmaps:q} > {log:q} 2>&1"
