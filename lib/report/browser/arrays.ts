// Arrays that came packed as base64.
import type { Packed } from '../run-data.js'

const bytes = (packed: Packed): ArrayBuffer => Uint8Array.from(atob(packed), (c) => c.charCodeAt(0)).buffer

export const float32 = (packed: Packed): Float32Array => new Float32Array(bytes(packed))

export const uint16 = (packed: Packed): Uint16Array => new Uint16Array(bytes(packed))
