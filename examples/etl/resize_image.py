"""Makes thumbnails of images; needs Pillow where it runs: `--dependency pillow` in addition.

python examples/offline_transform.py SRC DST --etl examples/etl/resize_image.py:ResizeImage
"""

import io
import json

from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer


class ResizeImage(FastAPIServer):
    """`etl_args` may be `{"width": W, "height": H}`; the default is 224 by 224, the proportions are kept."""

    def transform(self, data: bytes, path: str, etl_args: str) -> bytes:
        """Give the image as JPEG, no larger than asked for."""
        from PIL import Image  # installed in the pod, not necessarily where the class is sent from

        options = json.loads(etl_args or "{}")
        image = Image.open(io.BytesIO(data)).convert("RGB")
        image.thumbnail((options.get("width", 224), options.get("height", 224)))
        out = io.BytesIO()
        image.save(out, format="JPEG", quality=90)
        return out.getvalue()

    def get_mime_type(self) -> str:
        """Name the thumbnails' type."""
        return "image/jpeg"
