// Imported before a script: its tensors are made on the device that the environment names.
import { device } from '../../lib/index.js'

device(process.env['DEFAULT_DEVICE'] ?? 'cpu')
