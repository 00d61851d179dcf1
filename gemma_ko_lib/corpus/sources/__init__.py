"""What an approved user has on disk, read as documents: folders, zips, and each known format.

`files` and `zips` find and open the files, `sniffing` tells their kind from the first bytes.
`lines`, `json_stream`, `tables` and `web` turn one kind each into records, `nikl`, `aihub`,
`translations` and `community` turn a record into text; `formats` knows which of them to ask.
"""
