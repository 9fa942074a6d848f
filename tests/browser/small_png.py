"""Pictures of pages as 8-bit PNG: a page has few colours, a third of the bytes will do. The browser counts them."""

import base64
import struct
import zlib
from typing import Any

from playwright.sync_api import Page

COLOURS = 256
# The most frequent colours stay exactly as they are; the rest, shades at the edges of letters, take the nearest of them.
REDUCE = """
async ([png, most]) => {
  const image = await createImageBitmap(await (await fetch(`data:image/png;base64,${png}`)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0);
  const pixels = new Uint32Array(pen.getImageData(0, 0, image.width, image.height).data.buffer);
  const seen = new Map();
  for (const colour of pixels) seen.set(colour, (seen.get(colour) ?? 0) + 1);
  const palette = [...seen].sort((a, b) => b[1] - a[1]).slice(0, most).map(([colour]) => colour);
  const part = (colour, shift) => (colour >>> shift) & 255;
  const far = (a, b) => [0, 8, 16].reduce((sum, shift) => sum + (part(a, shift) - part(b, shift)) ** 2, 0);
  const place = new Map(palette.map((colour, index) => [colour, index]));
  for (const colour of seen.keys()) {
    if (place.has(colour)) continue;
    let best = 0;
    for (let index = 1; index < palette.length; index += 1) {
      if (far(colour, palette[index]) < far(colour, palette[best])) best = index;
    }
    place.set(colour, best);
  }
  const bytes = Uint8Array.from(pixels, (colour) => place.get(colour));
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  const rgb = palette.flatMap((colour) => [part(colour, 0), part(colour, 8), part(colour, 16)]);
  return { width: image.width, height: image.height, rgb, places: btoa(text) };
}
"""


def small(png: bytes, blank: Page) -> bytes:
    """The picture with at most COLOURS colours. `blank` is any page without a content security policy."""
    reduced: dict[str, Any] = blank.evaluate(REDUCE, [base64.b64encode(png).decode("ascii"), COLOURS])
    width, height, places = reduced["width"], reduced["height"], base64.b64decode(reduced["places"])
    rows = b"".join(b"\0" + places[row * width : (row + 1) * width] for row in range(height))
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)  # 8 bits, palette (PNG, third edition, §11.2)
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _chunk(kind, body)
        for kind, body in (
            (b"IHDR", header),
            (b"PLTE", bytes(reduced["rgb"])),
            (b"IDAT", zlib.compress(rows, 9)),
            (b"IEND", b""),
        )
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
