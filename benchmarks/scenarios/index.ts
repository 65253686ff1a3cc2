import { add } from './add.js'
import { infer } from './infer.js'
import { start } from './start.js'
import { stalls } from './stalls.js'
import { train } from './train.js'

export const scenarios = [train, infer, add, start, stalls]
