"""What an approved user has on disk, read as documents: folders, zips, and each known format.

`files`, `zips` and `streams` find and open the files, `sniffing` tells their kind from the first
bytes and `reading` sends each to its reader.
`lines`, `json_stream` (on `json_values` and `json_layouts`), `tables` and `web` turn one kind each
into records, `nikl`, `aihub`,
`translations` and `community` turn a record into text; `formats` knows which of them to ask.
"""
