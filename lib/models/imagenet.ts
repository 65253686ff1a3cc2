// How torchvision's networks, which learnt ImageNet, want their pictures.
import type { Statistics } from '../data/dataset.js'

/**
 * Mean and deviation of ImageNet's channels (red, green, blue, from 0 to 1): what `normalize` is to be for a network with
 * torchvision's weights, in `fit` and `evaluate`.
 */
export const imagenet: Statistics = { mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] }
