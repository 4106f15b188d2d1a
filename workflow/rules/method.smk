"""The method studies: phantoms of known truth through the same programs, and what each metric makes of them.

Independent of the configured cohort; only device and image are the configuration's. Targets: method_study, with the phantoms
of the demo's make, and method_study_patients, with phantoms whose anatomy is drawn patient by patient.
"""

METHOD = "results/{method}"
METHOD_GENERATORS = {"method_study": "tables", "method_study_patients": "patients"}
METHOD_LOCALIZER = "resources/demo/pointnet_demo.pth"


wildcard_constraints:
    method="|".join(METHOD_GENERATORS),


localrules:
    method_study,
    method_study_patients,


rule method_study:
    input:
        METHOD.format(method="method_study") + "/method_study.json",


rule method_study_patients:
    input:
        METHOD.format(method="method_study_patients") + "/method_study.json",


rule method_cohort:
    input:
        **script("method_study_cohort"),
    output:
        phantoms=f"{METHOD}/phantoms.csv",
    log:
        f"{METHOD}/logs/method_cohort.log",
    benchmark:
        f"{METHOD}/benchmarks/method_cohort.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        mem_mb=1000,
        runtime=5,
    params:
        generator=lambda wildcards: METHOD_GENERATORS[wildcards.method],
    message:
        "Listing the phantoms of the method study"
    shell:
        "python {input.script} --generator {params.generator} --out {output.phantoms:q} > {log} 2>&1"


rule method_phantoms:
    input:
        **script("make_demo_cohort"),
        phantoms=f"{METHOD}/phantoms.csv",
    output:
        table=f"{METHOD}/dicom/{rsna_layout.SERIES_TABLE}",
        # about 3 MB a phantom, made again in a few minutes
        images=temp(directory(f"{METHOD}/dicom/{rsna_layout.IMAGES}")),
    log:
        f"{METHOD}/logs/method_phantoms.log",
    benchmark:
        f"{METHOD}/benchmarks/method_phantoms.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        mem_mb=3000,
        runtime=30,
    params:
        out=lambda wildcards, output: os.path.dirname(output.table),
    message:
        "Making the phantoms of the method study as DICOM"
    shell:
        "python {input.script} --studies {input.phantoms:q} --out {params.out:q} --jobs {threads} > {log} 2>&1"


rule method_sheet:
    input:
        **script("study_sheet"),
        table=f"{METHOD}/dicom/{rsna_layout.SERIES_TABLE}",
        images=f"{METHOD}/dicom/{rsna_layout.IMAGES}",
    output:
        sheet=f"{METHOD}/study_sheet.csv",
    log:
        f"{METHOD}/logs/method_sheet.log",
    benchmark:
        f"{METHOD}/benchmarks/method_sheet.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        folder=lambda wildcards, input: os.path.dirname(input.table),
    message:
        "Writing the study sheet of the method study"
    shell:
        "python {input.script} --kind demo --path {params.folder:q} --out {output.sheet:q} > {log} 2>&1"


rule method_heatmaps:
    input:
        **script("infer_heatmaps"),
        sheet=f"{METHOD}/study_sheet.csv",
        images=f"{METHOD}/dicom/{rsna_layout.IMAGES}",
        checkpoint=METHOD_LOCALIZER,
    output:
        heatmaps=f"{METHOD}/heatmaps.h5",
    log:
        f"{METHOD}/logs/method_heatmaps.log",
    benchmark:
        f"{METHOD}/benchmarks/method_heatmaps.tsv"
    container:
        IMAGE
    threads: LOCALIZER["workers"] or MOST_WORKERS
    resources:
        mem_mb=lambda wildcards, attempt: 6000 * attempt,
        runtime=lambda wildcards, attempt: 60 * attempt,
        gpu=0 if LOCALIZER["device"] == "cpu" else 1,
    params:
        device=LOCALIZER["device"],
    message:
        "Localizing the disc levels of the phantoms, with all slices and views"
    shell:
        "python {input.script} --sheet {input.sheet:q} --checkpoint {input.checkpoint:q} --members full"
        " --device {params.device} --workers {threads} --threads {threads} --out {output.heatmaps:q} > {log} 2>&1"


rule method_table:
    input:
        **script("method_study_table"),
        sheet=f"{METHOD}/study_sheet.csv",
        heatmaps=f"{METHOD}/heatmaps.h5",
    output:
        table=f"{METHOD}/lstv_uncertainty_metrics.csv",
        components=f"{METHOD}/components.csv",
    log:
        f"{METHOD}/logs/method_table.log",
    benchmark:
        f"{METHOD}/benchmarks/method_table.tsv"
    container:
        IMAGE
    threads: 4
    resources:
        mem_mb=2000,
        runtime=20,
    message:
        "Measuring and ranking the phantoms"
    shell:
        "python {input.script} --sheet {input.sheet:q} --heatmaps {input.heatmaps:q} --jobs {threads}"
        " --components {output.components:q} --out {output.table:q} > {log} 2>&1"


rule method_results:
    input:
        **script("method_study"),
        table=f"{METHOD}/lstv_uncertainty_metrics.csv",
        components=f"{METHOD}/components.csv",
        phantoms=f"{METHOD}/phantoms.csv",
        checkpoint=METHOD_LOCALIZER,
    output:
        results=f"{METHOD}/method_study.json",
        table=report(
            f"{METHOD}/method_study.csv",
            caption="../report/method.rst",
            category="Method study",
            labels={"what": "all metrics"},
        ),
        text=f"{METHOD}/method_study.md",
        figures=directory(f"{METHOD}/figures"),
    log:
        f"{METHOD}/logs/method_results.log",
    benchmark:
        f"{METHOD}/benchmarks/method_results.tsv"
    container:
        IMAGE
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    message:
        "Evaluating the method study"
    shell:
        "python {input.script} --table {input.table:q} --components {input.components:q} --phantoms {input.phantoms:q}"
        " --checkpoint {input.checkpoint:q} --out {output.results:q} --csv {output.table:q} --markdown {output.text:q}"
        " --figures {output.figures:q} > {log} 2>&1"
