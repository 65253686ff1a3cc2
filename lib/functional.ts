// All functions over tensors, a family a file.
export * from './functional/creation.js'
export * from './functional/elementwise.generated.js'
export * from './functional/select.js'
export * from './functional/reduce.js'
export * from './functional/shape.js'
