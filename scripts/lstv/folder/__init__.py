"""From any folder of DICOM to a study sheet: scan headers, tell series apart, choose the sagittal T2, name it safely.

``scan`` finds files, ``header`` reads the few tags needed
(``enhanced`` those of multi-frame files), ``archives`` deals with zip files, ``series`` sorts files into
series and stacks, ``words`` knows names in several languages, ``choose`` decides, ``pseudonym`` makes ids and ``sheet``
writes. Nothing here reads pixels.
"""
