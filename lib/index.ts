// What is public.
export { Tensor, keep, tidy } from './tensor.js'
export type { DataOf, DType, ElementOf, FloatDType, IntegerDType, Nested, NumberDType } from './tensor.js'
export * from './functional.js'
export { backward, customOp, grad, grads, noGrad, requireGradient, valueAndGrad } from './autograd.js'
export type { BackwardOptions, CustomOp } from './autograd.js'
export { withCompute } from './compute.js'
export type { Compute, Computation } from './compute.js'
export { compile, noteDependency } from './compile.js'
export type { Compiled, CompileOptions, Program } from './compile.js'
export type { Profile, ProfiledCall } from './profile.js'
export {
  device,
  devices,
  measurePlans,
  memory,
  plans,
  resetPeakMemory,
  setMemoryLimit,
  setThreads,
  synchronize,
  synchronizeSync,
  threads,
  to,
  withDevice
} from './device.js'
export type { MemoryInfo } from './device.js'
export { environment, gpuReport } from './environment.js'
export type { Environment, Gpu, GpuFinding } from './environment.js'
export * as datasets from './data/datasets.js'
export type { BirdsOptions, CsvOptions, Cub200Options, DatasetParts, ImageFolderOptions } from './data/datasets.js'
export type { PhotoFit } from './data/photo.js'
export type { PhotoSetOptions } from './data/photos.js'
export { ImageDataset } from './data/dataset.js'
export type {
  Batch,
  FineClasses,
  ImageDatasetOptions,
  RelabelOptions,
  SkippedPicture,
  SplitOptions,
  Statistics
} from './data/dataset.js'
export { DataLoader } from './data/loader.js'
export type { Augmentation } from './data/augmentation.js'
export type { DataLoaderOptions } from './data/loader.js'
export { Detector, overlapOf, suppress } from './detect/index.js'
export type { Box, Classifier, FindOptions, Found, Search, WindowSizes } from './detect/index.js'
export * as io from './io/index.js'
export { exportOnnx, type ExportOnnxOptions } from './io/onnx/export.js'
export { importOnnx, type ImportOnnxOptions, type OnnxNetwork } from './io/onnx/import.js'
export * as losses from './losses.js'
export * as metrics from './metrics/index.js'
export * as models from './models/index.js'
export * as nn from './nn/index.js'
export * as optim from './optim/index.js'
export { evaluate } from './train/evaluate.js'
export type { EvaluateOptions, Evaluation } from './train/evaluate.js'
export { fit } from './train/fit.js'
export type { Callbacks, EpochFigures } from './train/callbacks.js'
export type { MetricName } from './train/metric-names.js'
export type { Abortable, EarlyStopping, FitOptions, Steps } from './train/options.js'
export type { Run } from './train/run.js'
export { load } from './train/load.js'
export type { LoadRunOptions, WeightsOf } from './train/load.js'
export type { Photo, Prediction, Predictor } from './train/predictor.js'
export { Gallery } from './report/gallery.js'
export type { GalleryOptions, Judgement } from './report/gallery.js'
export { report } from './train/report.js'
export { compare } from './train/comparison.js'
export { watch } from './train/watch.js'
export type { Watch, WatchOptions } from './train/watch.js'
export { readRunConfig } from './train/run-config.js'
export type { RunConfig, RunRecipe } from './train/run-config.js'
export { sweep } from './sweep/sweep.js'
export type { SweepOptions } from './sweep/sweep.js'
export { defineSweep } from './sweep/config.js'
export type { Strategy, SweepConfig, Trial, TrialOptions } from './sweep/config.js'
export type { SweepResult, TrialResult } from './sweep/leaderboard.js'
export * as space from './sweep/space.js'
/** @internal */
export { runTrial } from './sweep/trial.js'
