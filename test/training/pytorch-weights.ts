// The weights that PyTorch gives convolutions and linear layers after torch.manual_seed: its Mersenne Twister, and uniform
// numbers within 1 / sqrt(inputs), to the bit.

/** MT19937 of Matsumoto and Nishimura (1998). */
export class MersenneTwister {
  readonly #state = new Uint32Array(624)
  #index = 624

  constructor(seed: number) {
    this.#state[0] = seed
    for (let i = 1; i < 624; i++) {
      const before = this.#state[i - 1]! ^ (this.#state[i - 1]! >>> 30)
      this.#state[i] = Math.imul(1812433253, before) + i
    }
  }

  next(): number {
    const s = this.#state
    if (this.#index === 624) {
      for (let i = 0; i < 624; i++) {
        const y = (s[i]! & 0x80000000) | (s[(i + 1) % 624]! & 0x7fffffff)
        s[i] = s[(i + 397) % 624]! ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0)
      }
      this.#index = 0
    }
    let y = s[this.#index++]!
    y ^= y >>> 11
    y ^= (y << 7) & 0x9d2c5680
    y ^= (y << 15) & 0xefc60000
    return (y ^ (y >>> 18)) >>> 0
  }
}

/** `n` numbers of torch.Tensor.uniform_(-bound, bound) in float32: a fused product and sum. */
export function uniform(twister: MersenneTwister, n: number, bound: number): Float32Array {
  const low = Math.fround(-bound)
  const width = Math.fround(Math.fround(bound) - low)
  return Float32Array.from({ length: n }, () => ((twister.next() & 0xffffff) / 2 ** 24) * width + low)
}

/** Weight and bias of torch.nn.Conv2d and torch.nn.Linear, in PyTorch's layout. */
export function layer(twister: MersenneTwister, outputs: number, inputs: number): [Float32Array, Float32Array] {
  // kaiming_uniform_(weight, a=sqrt(5))
  const bound = Math.sqrt(3) * (Math.sqrt(2 / (1 + 5)) / Math.sqrt(inputs))
  return [uniform(twister, outputs * inputs, bound), uniform(twister, outputs, 1 / Math.sqrt(inputs))]
}
