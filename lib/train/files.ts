// The names of a run folder's files.
import { join } from 'node:path'

/** Within the run folder. */
export const FILES = {
  config: 'config.json',
  environment: 'environment.json',
  metrics: 'metrics.csv',
  confusion: 'confusion.json',
  predictions: 'predictions.safetensors',
  pictures: 'pictures.json',
  report: 'report.html',
  plans: 'plans.json',
  status: 'status.json',
  last: join('checkpoints', 'last.safetensors'),
  best: join('checkpoints', 'best.safetensors')
} as const
