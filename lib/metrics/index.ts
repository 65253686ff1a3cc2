// How good a model is: accumulated on the device over a whole set, and read when asked for. Public as `metrics`.
export { Accuracy, type AccuracyOptions } from './accuracy.js'
export { ClassScores } from './class-scores.js'
export { Confusion, type Average, type ClassOf, type ConfusionOptions } from './confusion.js'
export type {
  BinaryCounts,
  Calibration,
  CalibrationBin,
  OperatingPoint,
  PrecisionRecallCurve,
  RocCurve
} from './curves.js'
export { Mean } from './mean.js'
export { Report } from './report.js'
export type { ReportRow } from './rates.js'
export { Scores } from './scores.js'
