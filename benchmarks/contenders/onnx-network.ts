// The bird network as an ONNX model with random weights, written byte by byte: ONNX is protobuf, of which this needs little.
// Field numbers are those of onnx.proto3 (opset 17).

type Field = [number: number, value: number | string | Uint8Array | Field[]]

function varint(value: number): number[] {
  const bytes: number[] = []
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128)
  return [...bytes, value]
}

function encode(fields: Field[]): Buffer {
  return Buffer.concat(
    fields.map(([number, value]) => {
      if (typeof value === 'number') return Buffer.from([...varint(number * 8), ...varint(value)])
      const bytes = typeof value === 'string' ? Buffer.from(value) : value instanceof Uint8Array ? value : encode(value)
      return Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(bytes.length)]), bytes])
    })
  )
}

const float = 1
const ints = 7

function node(type: string, inputs: string[], output: string, attributes: Record<string, number[]> = {}): Field {
  return [
    1,
    [
      ...inputs.map((name): Field => [1, name]),
      [2, output],
      [4, type],
      ...Object.entries(attributes).map(([name, values]): Field => [
        5,
        [[1, name], ...values.map((value): Field => [8, value]), [20, ints]]
      ])
    ]
  ]
}

function weights(name: string, ...shape: number[]): Field {
  const size = shape.reduce((a, b) => a * b)
  const values = Float32Array.from({ length: size }, () => (Math.random() - 0.5) * 0.1)
  return [5, [...shape.map((d): Field => [1, d]), [2, float], [8, name], [9, new Uint8Array(values.buffer)]]]
}

function port(field: number, name: string, shape: number[]): Field {
  const dims: Field[] = [[1, [[2, 'batch']]], ...shape.map((d): Field => [1, [[1, d]]])]
  return [
    field,
    [
      [1, name],
      [
        2,
        [
          [
            1,
            [
              [1, float],
              [2, dims]
            ]
          ]
        ]
      ]
    ]
  ]
}

const conv = (x: string, i: number, y: string): Field =>
  node('Conv', [x, `w${i}`, `b${i}`], y, { kernel_shape: [3, 3], pads: [1, 1, 1, 1] })
const pool = (x: string, y: string): Field => node('MaxPool', [x], y, { kernel_shape: [2, 2], strides: [2, 2] })

/** Input `x` [batch, 3, 32, 32], output `y` [batch, 2]: probabilities. */
export function onnxNetwork(): Uint8Array {
  const graph: Field[] = [
    conv('x', 1, 'a'),
    node('Relu', ['a'], 'b'),
    pool('b', 'c'),
    conv('c', 2, 'd'),
    node('Relu', ['d'], 'e'),
    conv('e', 3, 'f'),
    node('Relu', ['f'], 'g'),
    pool('g', 'h'),
    node('Flatten', ['h'], 'i'),
    node('Gemm', ['i', 'w4', 'b4'], 'j'),
    node('Relu', ['j'], 'k'),
    node('Gemm', ['k', 'w5', 'b5'], 'l'),
    node('Softmax', ['l'], 'y'),
    [2, 'birds'],
    ...[weights('w1', 32, 3, 3, 3), weights('w2', 64, 32, 3, 3), weights('w3', 64, 64, 3, 3)],
    ...[weights('w4', 4096, 512), weights('w5', 512, 2)],
    ...[32, 64, 64, 512, 2].map((n, i) => weights(`b${i + 1}`, n)),
    port(11, 'x', [3, 32, 32]),
    port(12, 'y', [2])
  ]
  return encode([
    [1, 9],
    [7, graph],
    [8, [[2, 17]]]
  ])
}
