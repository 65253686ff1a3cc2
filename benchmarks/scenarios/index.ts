import { add } from './add.js'
import { busy } from './busy.js'
import { fit } from './fit.js'
import { infer } from './infer.js'
import { ops } from './ops.js'
import { resnet50 } from './resnet50.js'
import { size } from './size.js'
import { stalls } from './stalls.js'
import { start } from './start.js'
import { train } from './train.js'

export const scenarios = [train, fit, infer, resnet50, busy, stalls, ops, add, start, size]
