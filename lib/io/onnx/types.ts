// ONNX's numbers for what its schema calls enumerations, and the version of its operators that is written.

export const DATA_TYPES = {
  FLOAT: 1,
  UINT8: 2,
  INT8: 3,
  INT32: 6,
  INT64: 7,
  BOOL: 9,
  FLOAT16: 10,
  DOUBLE: 11,
  BFLOAT16: 16
} as const

export const ATTRIBUTE_TYPES = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, FLOATS: 6, INTS: 7 } as const

/** The default operators as of ONNX 1.12 (June 2022), which every runtime of today has. */
export const OPSET = 17
/** The file format of that version. */
export const IR_VERSION = 8
