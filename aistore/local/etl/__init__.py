"""ETLs: transforms that run next to the data, as local processes (protocol-ml/02, 03 and 10).

* `spec`: what an ETL is started from
* `pod`, `environment`, `packages`, `supervise`: its processes, one for each target
* `room`: the ETLs there are, and their lives
* `exchange`, `websocket`: what a target and an ETL server say to each other
* `offline`: buckets transformed into buckets, as jobs

A class comes as a pickle. This process never opens it: it is handed to the ETL's process as it came.
"""
