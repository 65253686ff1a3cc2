// The process of one trial of a sweep, which `sweep` starts and talks to.
import { runTrial } from '../index.js'

await runTrial()
