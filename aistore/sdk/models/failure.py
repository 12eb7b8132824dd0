"""What error answers have in them."""

from aistore.sdk.models.base import Model


class HttpError(Model):
    """Body of an error answer."""

    status_code: int
    message: str = ""
    method: str = ""
    url_path: str = ""
    remote_addr: str = ""
    caller: str = ""
    node: str = ""
