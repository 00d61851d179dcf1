"""What an approved user has on disk, read as documents: folders, zips, and each known format.

`files`, `zips` and `streams` find, open and unpack the files, `sniffing` tells their kind from
the first bytes and `reading` sends each to its reader. `lines`, `texts`, `json_stream` (on
`json_values`), `tables` (with `sheets`) and `web` turn one kind each into records or texts.
`nikl`, `aihub` (by its table of layouts), `translations` and `community` turn a record into text,
and `wiki` a page's markup. `formats` knows which to ask.
"""
