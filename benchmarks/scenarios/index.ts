import { add } from './add.js'
import { start } from './start.js'

export const scenarios = [add, start]
