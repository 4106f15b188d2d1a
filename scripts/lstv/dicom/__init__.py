"""DICOM files -> one stack of slices -> one volume with its place in the patient."""
