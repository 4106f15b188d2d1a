"""Which studies enter and which of them are analysed: study sheet, selection, batches, readers' labels, training guard."""
