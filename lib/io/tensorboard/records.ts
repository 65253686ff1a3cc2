// The framing of TensorBoard's event files, that of TFRecord: a length, its checksum, the bytes, their checksum.

/** CRC-32C (Castagnoli): what a byte does to the remainder. */
const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc >>> 0
})

/** The checksum as it stands in the file: rotated and moved on, so that the checksum of a checksum is no special case. */
function maskedCrc(bytes: Uint8Array): number {
  let crc = 0xffffffff
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255]! ^ (crc >>> 8)
  crc = ~crc
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

const HEAD = 12
const FOOT = 4

/** One record as it stands in the file. */
export function frame(payload: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(HEAD + payload.length + FOOT)
  bytes.writeBigUInt64LE(BigInt(payload.length))
  bytes.writeUInt32LE(maskedCrc(bytes.subarray(0, 8)), 8)
  bytes.set(payload, HEAD)
  bytes.writeUInt32LE(maskedCrc(payload), HEAD + payload.length)
  return bytes
}

/** The records of a file in their order, each with the place where it ends. One that was cut off or is damaged ends them. */
export function* recordsIn(file: Buffer): IterableIterator<{ payload: Uint8Array; end: number }> {
  for (let at = 0; at + HEAD + FOOT <= file.length;) {
    const length = Number(file.readBigUInt64LE(at))
    const end = at + HEAD + length + FOOT
    if (file.readUInt32LE(at + 8) !== maskedCrc(file.subarray(at, at + 8)) || end > file.length) return
    const payload = file.subarray(at + HEAD, end - FOOT)
    if (file.readUInt32LE(end - FOOT) !== maskedCrc(payload)) return
    yield { payload, end }
    at = end
  }
}
