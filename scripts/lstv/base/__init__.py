"""The ground that everything stands on: errors, command lines, files, tables, ids, levels. It imports nothing of ours."""
