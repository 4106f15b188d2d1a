"""What proves the product: phantoms of known truth through the same rules, and what each metric makes of them.

Independent of the configured cohort; only device, workers and image are the configuration's. Targets: method_study, with the
phantoms of the demo's make, and method_study_patients, with phantoms whose anatomy is drawn patient by patient.
"""

METHOD = "results/{method}"
METHOD_GENERATORS = {"method_study": "tables", "method_study_patients": "patients"}
METHOD_LOCALIZER = of_code("resources/demo/pointnet_demo.pth")
METHOD_TABLE = f"{METHOD}/dicom/{rsna_layout.SERIES_TABLE}"
METHOD_IMAGES = f"{METHOD}/dicom/{rsna_layout.IMAGES}"


wildcard_constraints:
    method="|".join(METHOD_GENERATORS),


localrules:
    method_study,
    method_study_patients,


rule method_study:
    input:
        expand(f"{METHOD}/method_study.json", method="method_study"),


rule method_study_patients:
    input:
        expand(f"{METHOD}/method_study.json", method="method_study_patients"),


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
        **growing(mem_mb=1000, runtime=10),
    params:
        generator=lambda wildcards: METHOD_GENERATORS[wildcards.method],
    message:
        "Listing the phantoms of the method study"
    shell:
        "python {input.script:q} --generator {params.generator} --out {output.phantoms:q} > {log:q} 2>&1"


use rule demo_cohort as method_phantoms with:
    input:
        **script("make_demo_cohort"),
        studies=f"{METHOD}/phantoms.csv",
    output:
        table=METHOD_TABLE,
        # about 3 MB a phantom, made again in a few minutes
        images=temp(directory(METHOD_IMAGES)),
    log:
        f"{METHOD}/logs/method_phantoms.log",
    benchmark:
        f"{METHOD}/benchmarks/method_phantoms.tsv"
    resources:
        **growing(mem_mb=3000, runtime=30),
    message:
        "Making the phantoms of the method study as DICOM"


use rule study_sheet as method_sheet with:
    input:
        **script("study_sheet"),
        table=METHOD_TABLE,
        images=METHOD_IMAGES,
    output:
        sheet=f"{METHOD}/study_sheet.csv",
    log:
        f"{METHOD}/logs/method_sheet.log",
    benchmark:
        f"{METHOD}/benchmarks/method_sheet.tsv"
    params:
        kind="demo",
        path=lambda wildcards, input: os.path.dirname(input.table),
        selection="",
    message:
        "Writing the study sheet of the method study"


use rule infer_heatmaps as method_heatmaps with:
    input:
        **script("infer_heatmaps"),
        sheet=f"{METHOD}/study_sheet.csv",
        images=METHOD_IMAGES,
        checkpoint=METHOD_LOCALIZER,
    output:
        heatmaps=f"{METHOD}/heatmaps.h5",
    log:
        f"{METHOD}/logs/method_heatmaps.log",
    benchmark:
        f"{METHOD}/benchmarks/method_heatmaps.tsv"
    params:
        options=options(members="full", device=LOCALIZER["device"]),
        software=SOFTWARE,
    message:
        "Localizing the disc levels of the phantoms, with all slices and views"


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
        **growing(mem_mb=2000, runtime=20),
    message:
        "Measuring and ranking the phantoms"
    shell:
        "python {input.script:q} --sheet {input.sheet:q} --heatmaps {input.heatmaps:q} --jobs {threads}"
        " --components {output.components:q} --out {output.table:q} > {log:q} 2>&1"


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
        **growing(mem_mb=2000, runtime=30),
    params:
        software=SOFTWARE,
    message:
        "Evaluating the method study"
    shell:
        "python {input.script:q} --table {input.table:q} --components {input.components:q} --phantoms {input.phantoms:q}"
        " --checkpoint {input.checkpoint:q} --software {params.software:q} --out {output.results:q} --csv {output.table:q} --markdown {output.text:q}"
        " --figures {output.figures:q} > {log:q} 2>&1"
