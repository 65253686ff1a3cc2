// What detection makes public.
export { overlapOf, suppress, type Box } from './boxes.js'
export { Detector, type Classifier, type FindOptions, type Found, type Search } from './detector.js'
export type { WindowSizes } from './windows.js'
