"""Names and numbers of the cluster's HTTP protocol and of this package's defaults."""

from __future__ import annotations

# Actions: the `action` of a control message
ACT_ARCHIVE_OBJECTS = "archive"
ACT_BLOB_DOWNLOAD = "blob-download"
ACT_CHECK_LOCK = "check-lock"
ACT_COPY_BCK = "copy-bck"
ACT_COPY_OBJECTS = "copy-listrange"
ACT_CREATE_BCK = "create-bck"
ACT_CREATE_NBI = "create-inventory"
ACT_DELETE_OBJECTS = "delete-listrange"
ACT_DESTROY_BCK = "destroy-bck"
ACT_DESTROY_NBI = "destroy-inventory"
ACT_ETL_BCK = "etl-bck"
ACT_EVICT_OBJECTS = "evict-listrange"
ACT_EVICT_REMOTE_BCK = "evict-remote-bck"
ACT_LIST = "list"
ACT_MOVE_BCK = "move-bck"
ACT_MPT_ABORT = "mpt-abort"
ACT_MPT_COMPLETE = "mpt-complete"
ACT_MPT_UPLOAD = "mpt-upload"
ACT_PREFETCH_OBJECTS = "prefetch-listrange"
ACT_PROMOTE = "promote"
ACT_SHOW_NBI = "show-inventory"
ACT_START = "start"
ACT_SUMMARY_BCK = "summary-bck"
ACT_TRANSFORM_OBJECTS = "etl-listrange"
ACT_XACT_STOP = "stop"

# HTTP methods, as `RequestClient.request` takes them
HTTP_METHOD_DELETE = "delete"
HTTP_METHOD_GET = "get"
HTTP_METHOD_HEAD = "head"
HTTP_METHOD_PATCH = "patch"
HTTP_METHOD_POST = "post"
HTTP_METHOD_PUT = "put"

# URL schemes
HTTP = "http://"
HTTPS = "https://"

# HTTP statuses
STATUS_ACCEPTED = 202
STATUS_BAD_GATEWAY = 502
STATUS_BAD_REQUEST = 400
STATUS_FORBIDDEN = 403
STATUS_INTERNAL_SERVER_ERROR = 500
STATUS_LOCKED = 423
STATUS_NO_CONTENT = 204
STATUS_OK = 200
STATUS_PARTIAL_CONTENT = 206
STATUS_REDIRECT_PERM = 301
STATUS_REDIRECT_TMP = 307
STATUS_SERVICE_UNAVAILABLE = 503
STATUS_UNAUTHORIZED = 401

# URL paths below `/v1/`
URL_PATH_AUTHN_CLUSTERS = "clusters"
URL_PATH_AUTHN_ROLES = "roles"
URL_PATH_AUTHN_TOKENS = "tokens"
URL_PATH_AUTHN_USERS = "users"
URL_PATH_BUCKETS = "buckets"
URL_PATH_CLUSTER = "cluster"
URL_PATH_DAEMON = "daemon"
URL_PATH_DSORT = "sort"
URL_PATH_ETL = "etl"
URL_PATH_ETL_LOGS = "logs"
URL_PATH_GB = "ml/moss"
URL_PATH_HEALTH = "health"
URL_PATH_OBJECTS = "objects"
URL_PATH_REVERSE = "reverse"

# Last path segment and query key of dSort
DSORT_ABORT = "abort"
DSORT_UUID = "uuid"

# Query parameters
QPARAM_ALL_LOGS = "all"
QPARAM_ARCHMODE = "archmode"
QPARAM_ARCHPATH = "archpath"
QPARAM_ARCHREGX = "archregx"
QPARAM_BCK_TO = "bck_to"
QPARAM_BSUMM_REMOTE = "bsumm_remote"
QPARAM_COLOC = "coloc"
QPARAM_ETL_ARGS = "etl_args"
QPARAM_ETL_FQN = "etl_fqn"
QPARAM_ETL_NAME = "etl_name"
QPARAM_ETL_PIPELINE = "etl_pipeline"
QPARAM_ETL_SECRET = "etl_secret"  # noqa: S105 - the name of a parameter
QPARAM_FLT_PRESENCE = "presence"
QPARAM_FORCE = "frc"
QPARAM_KEEP_REMOTE = "keep_bck_md"
QPARAM_LATEST = "latest-ver"
QPARAM_LOG_SEV = "severity"
QPARAM_MPT_PART_NO = "partNumber"
QPARAM_MPT_UPLOAD_ID = "uploadId"
QPARAM_NAMESPACE = "namespace"
QPARAM_NEW_CUSTOM = "set-new-custom"
QPARAM_OBJ_APPEND = "append_type"
QPARAM_OBJ_APPEND_HANDLE = "append_handle"
QPARAM_OBJ_TO = "object_to"
QPARAM_PRIMARY_READY_REB = "prr"
QPARAM_PROPS = "props"
QPARAM_PROVIDER = "provider"
QPARAM_SYNC = "synchronize"
QPARAM_UUID = "uuid"
QPARAM_WHAT = "what"

# Values of the query parameter `what`
WHAT_ALL_RUNNING_STATUS = "running_all"
WHAT_ALL_XACT_STATUS = "status_all"
WHAT_CLUSTER_CONFIG = "cluster_config"
WHAT_LOG = "log"
WHAT_NODE_STATS_AND_STATUS = "node_status"
WHAT_ONE_XACT_STATUS = "status"
WHAT_QUERY_XACT_STATS = "qryxstats"
WHAT_SMAP = "smap"

# Standard and AIStore request and response headers
HEADER_ACCEPT = "Accept"
HEADER_AUTHORIZATION = "Authorization"
HEADER_BUCKET_PROPS = "Ais-Bucket-Props"
HEADER_BUCKET_SUMM = "Ais-Bucket-Summ"
HEADER_CONNECTION = "Connection"
HEADER_CONTENT_ENCODING = "Content-Encoding"
HEADER_CONTENT_LENGTH = "Content-Length"
HEADER_CONTENT_TYPE = "Content-Type"
HEADER_DIRECT_PUT_LENGTH = "Ais-Direct-Put-Length"
HEADER_ETAG = "ETag"
HEADER_ETL_RETRY_REASON = "Ais-Etl-Retry-Reason"
HEADER_ETL_SECRET = "Ais-Etl-Secret"  # noqa: S105 - the name of a header
HEADER_INV_NAME = "Ais-Inv-Name"
HEADER_LAST_MODIFIED = "Last-Modified"
HEADER_LOCATION = "Location"
HEADER_NODE_ID = "Ais-Node-Id"
HEADER_NODE_URL = "Ais-Node-Url"
HEADER_OBJECT_APPEND_HANDLE = "Ais-Append-Handle"
HEADER_OBJECT_BLOB_CHUNK_SIZE = "Ais-Blob-Chunk"
HEADER_OBJECT_BLOB_DOWNLOAD = "Ais-Blob-Download"
HEADER_OBJECT_BLOB_WORKERS = "Ais-Blob-Workers"
HEADER_PREFIX = "Ais-"
HEADER_RANGE = "Range"
HEADER_TRANSFER_ENCODING = "Transfer-Encoding"
HEADER_USER_AGENT = "User-Agent"
HEADER_XACTION_ID = "Ais-Xaction-Id"

# Media types and identity
JSON_CONTENT_TYPE = "application/json"
MSGPACK_CONTENT_TYPE = "application/msgpack"
USER_AGENT_BASE = "ais/python"
UTF_ENCODING = "utf-8"

# Environment variables
AIS_AUTHN_TOKEN = "AIS_AUTHN_TOKEN"  # noqa: S105 - the name of a variable, not a token
AIS_ETL_SECRET = "AIS_ETL_SECRET"  # noqa: S105 - the name of a variable
AIS_CLIENT_CA = "AIS_CLIENT_CA"
AIS_CLIENT_CRT = "AIS_CRT"
AIS_CLIENT_KEY = "AIS_CRT_KEY"
AIS_CONNECT_TIMEOUT = "AIS_CONNECT_TIMEOUT"
AIS_VALIDATE_CHECKSUM = "AIS_VALIDATE_CHECKSUM"
AIS_DIRECT = "AIS_DIRECT"
AIS_DIRECT_PUT_CHUNK_SIZE = "AIS_DIRECT_PUT_CHUNK_SIZE"
AIS_DIRECT_PUT_RETRIES = "AIS_DIRECT_PUT_RETRIES"
AIS_MAX_CONN_POOL = "AIS_MAX_CONN_POOL"
AIS_OTEL = "AIS_OTEL"
AIS_READ_TIMEOUT = "AIS_READ_TIMEOUT"
AIS_SKIP_VERIFY = "AIS_SKIP_VERIFY"
AIS_SKIP_VERIFY_CRT = "AIS_SKIP_VERIFY_CRT"

# Object attributes as response headers (compared without regard to case)
AIS_ACCESS_TIME = "ais-atime"
AIS_BCK_NAME = "ais-bucket-name"
AIS_BCK_PROVIDER = "ais-bucket-provider"
AIS_CHECKSUM_TYPE = "ais-checksum-type"
AIS_CHECKSUM_VALUE = "ais-checksum-value"
AIS_CHUNKS_COUNT = "ais-chunks-count"
AIS_CHUNKS_MAX_CHUNK_SIZE = "ais-chunks-max-chunk-size"
AIS_CUSTOM_MD = "ais-custom-md"
AIS_EC_DATA = "ais-ec-data"
AIS_EC_GENERATION = "ais-ec-generation"
AIS_EC_PARITY = "ais-ec-parity"
AIS_EC_REPLICATED = "ais-ec-replicated"
AIS_LOCATION = "ais-location"
AIS_MIRROR_COPIES = "ais-mirror-copies"
AIS_MIRROR_PATHS = "ais-mirror-paths"
AIS_OBJ_NAME = "ais-name"
AIS_PRESENT = "ais-present"
AIS_VERSION = "ais-version"

# Names of object properties
PROPS_CHUNKED = "chunked"
PROPS_SIZE = "size"

# Get-Batch: keys of the request and of the per-entry answers
GB_ARCHPATH = "archpath"
GB_BCK = "bucket"
GB_COLOC = "coloc"
GB_CONTINUE_ERR = "coer"
GB_ERR_MSG = "err_msg"
GB_IN = "in"
GB_LENGTH = "length"
GB_MISSING_FILES_DIR = "__404__"
GB_OBJNAME = "objname"
GB_ONLY_OBJ_NAME = "onob"
GB_OPAQUE = "opaque"
GB_OUT = "out"
GB_OUTPUT_FMT = "mime"
GB_PROVIDER = "provider"
GB_SIZE = "size"
GB_START = "start"
GB_STRM_GET = "strm"
GB_UNAME = "uname"
GB_UUID = "uuid"

# File name extensions of archives
EXT_TAR = ".tar"
EXT_TARGZ = ".tar.gz"
EXT_TARLZ4 = ".tar.lz4"
EXT_TGZ = ".tgz"
EXT_ZIP = ".zip"

# ETL: WebSocket control messages and the reason that asks the cluster to retry
ETL_RETRY_REASON_DIRECT_PUT_TRANSIENT = "direct-put-transient"
ETL_WS_FQN = "fqn"
ETL_WS_PATH = "path"
ETL_WS_PIPELINE = "pipeline"

# Units of size (bytes) and of time
KIB = 1 << 10
MIB = 1 << 20
GB = 10**9
GBIT = 10**9 // 8
NANOSECONDS_IN_SECOND = 10**9

# Bytes held at once: sequential reads, parallel reads, writers
DEFAULT_CHUNK_SIZE = 32 * KIB
DEFAULT_PARALLEL_CHUNK_SIZE = 8 * MIB
DEFAULT_MAX_BUFFER_SIZE = 64 * KIB

# Waiting for jobs (seconds)
DEFAULT_JOB_WAIT_TIMEOUT = 300
DEFAULT_DSORT_WAIT_TIMEOUT = 300
DEFAULT_JOB_POLL_TIME = 0.2

# Waiting for an object that another request is fetching from its remote bucket: seconds, and bytes per second
DEFAULT_COLD_GET_MAX_WAIT = 180
DEFAULT_COLD_GET_EST_BPS = 10 * GBIT

# A job's packed id: joggers in bits 0 to 9, workers in bits 10 to 19, channel-full count above
JOGGER_COUNT_BITS = 10
WORKER_COUNT_BITS = 10
CHANNEL_COUNT_BITS = 64 - JOGGER_COUNT_BITS - WORKER_COUNT_BITS
WORKER_COUNT_SHIFT = JOGGER_COUNT_BITS
CHANNEL_COUNT_SHIFT = JOGGER_COUNT_BITS + WORKER_COUNT_BITS
JOGGER_COUNT_MASK = (1 << JOGGER_COUNT_BITS) - 1
WORKER_COUNT_MASK = ((1 << WORKER_COUNT_BITS) - 1) << WORKER_COUNT_SHIFT
CHANNEL_COUNT_MASK = ((1 << CHANNEL_COUNT_BITS) - 1) << CHANNEL_COUNT_SHIFT

# Seed of the xxHash64 that places objects (HRW)
XX_HASH_SEED = 1103515245

# The time that Go prints for 'not yet'
GO_ZERO_TIME = "0001-01-01T00:00:00Z"

# Multipart answers
HTTP_BOUNDARY_REGEX = r"boundary=([^;,\s]+)"
MULTIPART_MARKER = b"--"
WIN_LINE_END = b"\r\n\r\n"
UNIX_LINE_END = b"\n\n"
ASCII_TAB = 0x09
ASCII_LF = 0x0A
ASCII_CR = 0x0D
ASCII_SPACE = 0x20
WHITESPACE_CHARS = {ASCII_TAB, ASCII_LF, ASCII_CR, ASCII_SPACE}

# Length of `bytes=` in a Range header
BYTE_RANGE_PREFIX_LENGTH = len("bytes=")

# Samples in one dataset shard
DEFAULT_DATASET_MAX_COUNT = 100_000

# The region that boto3 is told when none is configured
AWS_DEFAULT_REGION = "us-east-1"

# Log lines
DEFAULT_LOG_FORMAT = "%(asctime)s %(levelname)s: %(message)s"

# Sample texts that programs use as object content
LOREM = (
    "Lorem ipsum dolor sit amet, consectetur adipiscing elit, sed do eiusmod tempor incididunt ut "
    "labore et dolore magna aliqua. Ut enim ad minim veniam, quis nostrud exercitation ullamco "
    "laboris nisi ut aliquip ex ea commodo consequat."
)
DUIS = (
    "Duis aute irure dolor in reprehenderit in voluptate velit esse cillum dolore eu fugiat nulla "
    "pariatur. Excepteur sint occaecat cupidatat non proident, sunt in culpa qui officia deserunt "
    "mollit anim id est laborum. Et harum quidem.."
)
