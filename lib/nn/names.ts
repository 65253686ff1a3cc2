// Words that several files of nn use.

/** The name of `name` within the module `prefix`. */
export const join = (prefix: string, name: string): string => (prefix ? `${prefix}.${name}` : name)

export const BUILD_HINT = 'Call forward, build(inputShape) or load first.'

/** A shape as errors and summaries print it. */
export const shapeText = (shape: readonly number[]): string => `[${shape.join(', ')}]`
