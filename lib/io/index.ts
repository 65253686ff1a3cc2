// The list of what `io` makes public.
export { readSafetensors, writeSafetensors, type Safetensors } from './safetensors.js'
