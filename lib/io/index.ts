// The list of what `io` makes public.
export { readSafetensors, writeSafetensors, type Safetensors } from './safetensors.js'
export { SummaryWriter, type SummaryWriterOptions } from './tensorboard/writer.js'
